import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bashScript } from "../../src/cli/completion/bash-script.js";
import { completionTree } from "../../src/cli/completion/completion-tree.js";
import { fishScript } from "../../src/cli/completion/fish-script.js";
import { zshScript } from "../../src/cli/completion/zsh-script.js";
import { createProgram } from "../../src/cli/program.js";
import { OPTIONS } from "../../src/config/options.js";
import { capturedIo } from "./cli-captured-io.js";

const TREE = completionTree(createProgram(capturedIo()));

/** Why a shell's script cannot be run here, or `false`. */
function missing(shell: string): string | false {
  return spawnSync(shell, ["-c", "exit 0"]).status === 0 ? false : `there is no ${shell} here`;
}

describe("what can be completed", () => {
  test("is every visible command with all of its options", () => {
    const paths = TREE.map(({ path }) => path);
    for (const path of ["", "serve", "run", "models pull", "completion", "help"]) assert.ok(paths.includes(path), path);
    assert.ok(!paths.includes("model-names"), "what only scripts use is hidden");
    const serve = TREE.find(({ path }) => path === "serve");
    const names = serve?.options.flatMap((option) => option.names) ?? [];
    for (const { flag, positional } of Object.values(OPTIONS)) {
      assert.equal(names.includes(`--${flag}`), positional !== true, flag);
    }
  });

  test("values are those of the option table, and the table takes all of them", () => {
    const serve = TREE.find(({ path }) => path === "serve");
    const wire = serve?.options.find(({ names }) => names.includes("--wire"));
    assert.deepEqual(wire?.value, { kind: "words", words: OPTIONS.wire.choices });
    for (const { flag, choices = [], schema } of Object.values(OPTIONS)) {
      for (const choice of choices) assert.ok(schema.safeParse(choice).success, `--${flag} ${choice}`);
    }
    const config = serve?.options.find(({ names }) => names.includes("--config"));
    assert.deepEqual(config?.value, { kind: "file" });
    assert.deepEqual(serve?.argument, { kind: "model" });
    assert.equal(serve?.options.find(({ names }) => names.includes("--open"))?.value, null);
  });
});

describe("in bash", { skip: missing("bash") }, () => {
  let directory = "";
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "exo-completion-"));
    mkdirSync(join(directory, "models"));
    writeFileSync(join(directory, "tiny.gguf"), "");
    writeFileSync(join(directory, "notes.txt"), "");
    writeFileSync(join(directory, "script.bash"), bashScript(TREE, "1.0.0"));
  });
  after(() => rmSync(directory, { recursive: true }));

  /** What Tab offers behind this line. */
  function offered(line: string): readonly string[] {
    // As bash cuts the line: at spaces, and at the marks of COMP_WORDBREAKS.
    const words = line.split(/ +|(?<=[:=])|(?=[:=])/);
    const program = `
      source "$1"
      exo-native() { [[ $1 == model-names ]] && printf '%s\\n' tinyllama hf:org/tiny hf:org/large; }
      COMP_WORDBREAKS=$' \\t\\n"><=;|&(:'
      COMP_LINE=$2 COMP_POINT=\${#2} COMP_WORDS=("\${@:3}") COMP_CWORD=$(( $# - 3 ))
      _exo_native
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr, status } = spawnSync(
      "bash",
      ["--norc", "--noprofile", "-c", program, "bash", join(directory, "script.bash"), line, ...words],
      { cwd: directory, encoding: "utf8" },
    );
    assert.equal(stderr, "", line);
    assert.equal(status, 0, line);
    return stdout.split("\n").filter((word) => word !== "");
  }

  test("commands, and commands of commands", () => {
    assert.deepEqual(offered("exo-native s"), ["serve", "status"]);
    assert.deepEqual(offered("exo-native models "), ["list", "pull", "rm", "verify", "help"]);
    assert.deepEqual(offered("exo-native models p"), ["pull"]);
    assert.deepEqual(offered("exo-native completion "), ["bash", "zsh", "fish"]);
    assert.ok(offered("exo-native help ").includes("serve"));
    assert.deepEqual(offered("exo-native nonsense "), []);
  });

  test("options, those of the command that was named", () => {
    assert.deepEqual(offered("exo-native serve --min"), ["--min-nodes"]);
    assert.deepEqual(offered("exo-native run --min"), ["--min-p"]);
    assert.deepEqual(offered("exo-native --ver"), ["--version"]);
    assert.ok(offered("exo-native serve --wire f16 tiny.gguf --log-").includes("--log-level"));
    // What stands behind an option is its value, and no command.
    assert.deepEqual(offered("exo-native serve --name models --min"), ["--min-nodes"]);
  });

  test("values", () => {
    assert.deepEqual(offered("exo-native serve --wire "), ["f32", "f16", "q8_0"]);
    assert.deepEqual(offered("exo-native serve --wire=f1"), ["f16"]);
    assert.deepEqual(offered("exo-native serve --log-level si"), ["silent"]);
    assert.deepEqual(offered("exo-native serve --config n"), ["notes.txt"]);
    assert.deepEqual(offered("exo-native serve --name "), []);
  });

  test("models by name and by file, also with colons", () => {
    assert.deepEqual(offered("exo-native run t"), ["tinyllama", "tiny.gguf"]);
    assert.deepEqual(offered("exo-native run mo"), ["models/"]);
    assert.deepEqual(offered("exo-native run hf:"), ["org/tiny", "org/large"]);
    assert.deepEqual(offered("exo-native run hf:org/t"), ["org/tiny"]);
    assert.deepEqual(offered("exo-native serve --draft-model hf:org/l"), ["org/large"]);
    assert.deepEqual(offered("exo-native plan tinyllama t"), []);
  });
});

describe("scripts of other shells", () => {
  test("hold every option and command, with descriptions", () => {
    const zsh = zshScript(TREE, "1.0.0");
    const fish = fishScript(TREE, "1.0.0");
    assert.match(zsh, /^#compdef exo-native\n/);
    assert.match(zsh, /'--name:this node'\\''s name/);
    assert.match(
      fish,
      /^complete -c exo-native -n '__fish_seen_subcommand_from serve' -l wire -x -a 'f32 f16 q8_0' -d /m,
    );
    assert.match(fish, /-l name -x -d 'this node\\'s name/);
    for (const { options, subcommands } of TREE) {
      for (const { names } of options) {
        assert.ok(zsh.includes(`'${names[0]}:`), names[0]);
        assert.ok(fish.includes(` -l ${names[0]?.slice(2)} `), names[0]);
      }
      for (const { name } of subcommands) assert.ok(fish.includes(` -a ${name} `), name);
    }
  });

  for (const [shell, script] of [
    ["zsh", zshScript],
    ["fish", fishScript],
  ] as const) {
    test(`${shell} can read its script`, { skip: missing(shell) }, (context) => {
      const directory = mkdtempSync(join(tmpdir(), "exo-completion-"));
      context.after(() => rmSync(directory, { recursive: true }));
      const file = join(directory, "script");
      writeFileSync(file, script(TREE, "1.0.0"));
      const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    });
  }

  test("fish completes by its script", { skip: missing("fish") }, () => {
    const program = `${fishScript(TREE, "1.0.0")}\ncomplete -C 'exo-native serve --wire '`;
    const { stdout } = spawnSync("fish", ["--no-config", "-c", program], { encoding: "utf8" });
    assert.deepEqual(stdout.trim().split("\n").sort(), ["f16", "f32", "q8_0"]);
  });
});
