import type { CompletedCommand } from "./completion-tree.js";
import { argumentCases, caseFunction, singleQuoted, valueCases } from "./shell-cases.js";

/**
 * For bash 3.2 and newer, without the package bash-completion. Words are cut at spaces only: bash itself also cuts at
 * colons, which names of models hold, so what stands before the last colon is taken off again at the end.
 */
const FUNCTION = `_exo_native() {
  local line=\${COMP_LINE:0:COMP_POINT} at='' word kind='' given=0 i
  local -a words=()
  read -r -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  local last=$(( \${#words[@]} - 1 ))
  local current=\${words[last]}
  for (( i = 1; i < last; i++ )); do
    word=\${words[i]}
    if [[ $word == -* ]]; then
      kind=$(_exo_native_value "$at $word")
      if [[ -n $kind ]]; then
        i=$(( i + 1 ))
        [[ $i -eq $last ]] || kind=''
      fi
    elif [[ " $(_exo_native_commands "$at") " == *" $word "* ]]; then
      at="\${at:+$at }$word"
    else
      given=1
    fi
  done
  if [[ -z $kind && $current == --*=* ]]; then
    kind=$(_exo_native_value "$at \${current%%=*}")
    current=\${current#*=}
  elif [[ -z $kind && $current == -* ]]; then
    kind=$(_exo_native_options "$at")
  elif [[ -z $kind && $given -eq 0 ]]; then
    kind=$(_exo_native_commands "$at")
    [[ -n $kind ]] || kind=$(_exo_native_argument "$at")
  fi
  COMPREPLY=()
  case $kind in
    '' | @any) ;;
    @file)
      local IFS=$'\\n'
      compopt -o filenames 2> /dev/null
      COMPREPLY=($(compgen -f -- "$current"))
      ;;
    @model)
      local names
      names=$("\${words[0]}" model-names 2> /dev/null)
      local IFS=$'\\n'
      COMPREPLY=($(compgen -W "$names" -- "$current") $(compgen -f -X '!*.gguf' -- "$current") $(compgen -d -S / -- "$current"))
      [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]] && compopt -o nospace 2> /dev/null
      ;;
    *) COMPREPLY=($(compgen -W "$kind" -- "$current")) ;;
  esac
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local before=\${current%"\${current##*:}"}
    COMPREPLY=("\${COMPREPLY[@]#"$before"}")
  fi
  return 0
}
complete -F _exo_native exo-native`;

export function bashScript(tree: readonly CompletedCommand[], version: string): string {
  const words = (names: readonly string[]): string => `echo ${singleQuoted(names.join(" "))}`;
  const commands = tree
    .filter(({ subcommands }) => subcommands.length > 0)
    .map(({ path, subcommands }) => [path, words(subcommands.map(({ name }) => name))] as const);
  const options = tree.map((command) => [command.path, words(command.options.flatMap(({ names }) => names))] as const);
  return [
    `# bash completion for exo-native ${version}; made by "exo-native completion bash"`,
    caseFunction("_exo_native_commands", commands),
    caseFunction("_exo_native_options", options),
    "# Words, @file, @model, or @any for what nobody can guess; nothing for an option without a value.",
    caseFunction("_exo_native_value", valueCases(tree)),
    caseFunction("_exo_native_argument", argumentCases(tree)),
    FUNCTION,
    "",
  ].join("\n");
}
