import type { CompletedCommand } from "./completion-tree.js";
import { argumentCases, caseFunction, singleQuoted, valueCases } from "./shell-cases.js";

const FUNCTION = `_exo_native() {
  local at='' word kind='' given=0 i
  local -a reply names
  for (( i = 2; i < CURRENT; i++ )); do
    word=\${words[i]}
    if [[ $word == -* ]]; then
      kind=$(_exo_native_value "$at $word")
      if [[ -n $kind ]]; then
        (( i += 1 ))
        (( i == CURRENT )) || kind=''
      fi
    else
      _exo_native_commands "$at"
      if (( \${reply[(I)$word:*]} )); then
        at="\${at:+$at }$word"
      else
        given=1
      fi
    fi
  done
  if [[ -z $kind && $PREFIX == --*=* ]]; then
    kind=$(_exo_native_value "$at \${PREFIX%%=*}")
    compset -P '*='
  elif [[ -z $kind && $PREFIX == -* ]]; then
    _exo_native_options "$at"
    _describe -o option reply
    return
  elif [[ -z $kind && $given -eq 0 ]]; then
    _exo_native_commands "$at"
    if (( $#reply )); then
      _describe command reply
      return
    fi
    kind=$(_exo_native_argument "$at")
  fi
  case $kind in
    '' | @any) ;;
    @file) _files ;;
    @model)
      names=(\${(f)"$(\${words[1]} model-names 2> /dev/null)"})
      compadd -a names
      _files -g '*.gguf(-.)'
      ;;
    *) compadd -- \${=kind} ;;
  esac
}
if [[ $funcstack[1] == _exo_native ]]; then
  _exo_native "$@"
else
  compdef _exo_native exo-native
fi`;

export function zshScript(tree: readonly CompletedCommand[], version: string): string {
  const described = (name: string, description: string): string => singleQuoted(`${name}:${description}`);
  const commands = tree.map(({ path, subcommands }) => {
    const words = subcommands.map(({ name, description }) => described(name, description));
    return [path, `reply=(${words.join(" ")})`] as const;
  });
  const options = tree.map(({ path, options: all }) => {
    const words = all.flatMap(({ names, description }) => names.map((name) => described(name, description)));
    return [path, `reply=(${words.join(" ")})`] as const;
  });
  return [
    "#compdef exo-native",
    `# zsh completion for exo-native ${version}; made by "exo-native completion zsh"`,
    caseFunction("_exo_native_commands", commands),
    caseFunction("_exo_native_options", options),
    caseFunction("_exo_native_value", valueCases(tree)),
    caseFunction("_exo_native_argument", argumentCases(tree)),
    FUNCTION,
    "",
  ].join("\n");
}
