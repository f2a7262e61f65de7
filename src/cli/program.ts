import { styleText } from "node:util";
import { Command, Option as Flag, InvalidArgumentError } from "commander";
import { packageVersion } from "../core/package.js";
import { addSamplingFlags } from "./chat/sampling-flags.js";
import { ALL_SETTINGS, addConfigFlags, COMMON_SETTINGS, type SettingKey } from "./config-flags.js";
import type { CliIo } from "./terminal/cli-io.js";

const DESCRIPTION =
  "Run one quantized GGUF model across the machines you own: a ring of llama.cpp layer ranges behind one " +
  "OpenAI-compatible endpoint.";

/** What `run` needs of a node's settings when it has to be the node itself. */
const RUN_SETTINGS: readonly SettingKey[] = [
  "memory",
  "device",
  "threads",
  "threadsBatch",
  "mmap",
  "mlock",
  "ctx",
  "ubatch",
  "kv",
  "kvV",
  "flashAttention",
  "apiKey",
  ...COMMON_SETTINGS,
];

const BENCH_SETTINGS: readonly SettingKey[] = [...RUN_SETTINGS, "slots"];

/** What a node would be started with and the doctor looks at. */
const DOCTOR_SETTINGS: readonly SettingKey[] = [
  "http",
  "grpc",
  "open",
  "cluster",
  "peer",
  "peersFile",
  "join",
  "discovery",
  "memory",
  "device",
  "mlock",
  "apiKey",
  ...COMMON_SETTINGS,
];

const ESTIMATE_SETTINGS: readonly SettingKey[] = ["ctx", "slots", "kv", "kvV", "apiKey", ...COMMON_SETTINGS];

const PLAN_SETTINGS: readonly SettingKey[] = [
  "strategy",
  "ctx",
  "slots",
  "minNodes",
  "layers",
  "draftModel",
  "apiKey",
  ...COMMON_SETTINGS,
];

const EXIT_CODES = "Exit codes: 0 done, 1 failed, 2 bad usage.";
const SETTINGS_NOTE =
  "Every option is also an environment variable (--min-nodes: EXO_NATIVE_MIN_NODES)\n" +
  "and a key of the configuration file (~/.config/exo-native/config.json), e.g.\n" +
  '{"min-nodes": 2}. An option wins over the environment, which wins over the file.';

/** The command line. Commands load their code when they run, so that help and version come at once. */
export function createProgram(io: CliIo): Command {
  const program = new Command("exo-native")
    .description(DESCRIPTION)
    .version(packageVersion(), "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .exitOverride()
    .showHelpAfterError("(--help says more)")
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    })
    .configureHelp({
      styleTitle: (title) => styleText("bold", title, { validateStream: false }),
      showGlobalOptions: false,
    })
    .addHelpText("after", `\n${examples("npm start", "exo-native serve tinyllama", "exo-native run tinyllama")}`)
    .addHelpText("after", `\n${EXIT_CODES}`);
  addServe(program, io);
  addRun(program, io);
  addStatus(program, io);
  addPlan(program, io);
  addEstimate(program, io);
  addBench(program, io);
  addModels(program, io);
  addDoctor(program, io);
  addDemo(program, io);
  return program;
}

function addServe(program: Command, io: CliIo): void {
  const command = program.command("serve").description("start a node; with a model, place it as soon as it can be");
  command.argument("[model]", "a path to a .gguf file, an hf:, https: or npm: spec, or a known name such as tinyllama");
  addConfigFlags(command, ALL_SETTINGS)
    .addHelpText(
      "after",
      `\n${examples(
        "exo-native serve tinyllama",
        "exo-native serve ./model.gguf --slots 8",
        "exo-native serve tinyllama --open --min-nodes 2    # on the first machine",
        "exo-native serve --open                            # on the second",
        "exo-native serve --open --peer 192.168.1.20        # or from elsewhere",
      )}\n\n${SETTINGS_NOTE}`,
    )
    .action(async (model: string | undefined, options: Record<string, unknown>) => {
      const { serve } = await import("./commands/serve.js");
      await serve(model, options, io);
    });
}

function addRun(program: Command, io: CliIo): void {
  const command = program.command("run").description("chat in the terminal, or answer one prompt");
  command
    .argument("<model>", "the name of a loaded model, or anything that serve takes")
    .argument("[prompt...]", "what to ask; without it a chat begins, or the prompt is read from a pipe")
    .addOption(urlFlag())
    .option("--system <text>", "a system prompt")
    .option("--raw", "let the model go on after the prompt as it is, without chat template")
    .option("--stats", "tell tokens and speed after each answer");
  addSamplingFlags(command);
  addConfigFlags(command, RUN_SETTINGS)
    .addHelpText(
      "after",
      `\nA running node that has the model, or loads it on demand, answers. Without one,\nthis process loads the model for as long as it runs.\n\n${examples(
        "exo-native run tinyllama",
        'exo-native run tinyllama "Why is the sky blue?" --max-tokens 100',
        "exo-native run ./model.gguf < question.txt > answer.txt",
      )}`,
    )
    .action(async (model: string, words: readonly string[], options: Record<string, unknown>) => {
      const { run } = await import("./commands/run.js");
      await run(model, words, options, io);
    });
}

function addStatus(program: Command, io: CliIo): void {
  const command = program.command("status").description("show the nodes and rings that a running node knows");
  command
    .addOption(urlFlag())
    .option("--json", "print what GET /cluster answers")
    .option("--watch", "look again every second, until Ctrl-C");
  addConfigFlags(command, ["apiKey", ...COMMON_SETTINGS])
    .addHelpText("after", `\n${examples("exo-native status", "exo-native status --watch", "exo-native status --json")}`)
    .action(async (options: Record<string, unknown>) => {
      const { status } = await import("./commands/status.js");
      await status(options, io);
    });
}

function addPlan(program: Command, io: CliIo): void {
  const command = program.command("plan").description("say where a model would be placed, and load nothing");
  command
    .argument("<model>", "anything that serve takes")
    .addOption(urlFlag())
    .option("--json", "print what POST /cluster/plan answers")
    .option("--head <node>", "the node that is to be the head (default: the best)");
  addConfigFlags(command, PLAN_SETTINGS)
    .addHelpText(
      "after",
      `\nA running node plans for its cluster. Without one the plan is for this machine\nalone.\n\n${examples(
        "exo-native plan tinyllama",
        "exo-native plan ./model.gguf --strategy throughput --slots 8",
        "exo-native plan tinyllama --layers 0-11@desk,11-22@attic --json",
      )}`,
    )
    .action(async (model: string, options: Record<string, unknown>) => {
      const { plan } = await import("./commands/plan.js");
      await plan(model, options, io);
    });
}

function addEstimate(program: Command, io: CliIo): void {
  const command = program.command("estimate").description("say what a model takes, and whether it fits");
  command
    .argument("<model>", "anything that serve takes, or a config.json that gives a model's shape")
    .addOption(urlFlag())
    .option("--json", "print what POST /cluster/estimate answers")
    .option("--memory <sizes>", "ask about machines that offer this much each, e.g. 8GiB,16GiB")
    .option("--quant <name>", "with a config.json: how it would be stored (default: Q4_K_M)")
    .option("--exact", "also ask llama.cpp's loader on this machine, which allocates nothing")
    .option("--link <link>", "between machines: delay one way and speed, e.g. 0.5ms,100MB");
  addConfigFlags(command, ESTIMATE_SETTINGS)
    .addHelpText(
      "after",
      `\nA running node answers for its cluster. Without one the estimate is for this\nmachine alone.\n\n${examples(
        "exo-native estimate tinyllama",
        "exo-native estimate ./model.gguf --memory 16GiB,16GiB --ctx 32768",
        "exo-native estimate llama-70b/config.json --quant Q4_K_M --memory 24GiB,24GiB",
      )}`,
    )
    .action(async (model: string, options: Record<string, unknown>) => {
      const { estimate } = await import("./commands/estimate.js");
      await estimate(model, options, io);
    });
}

function addBench(program: Command, io: CliIo): void {
  const command = program.command("bench").description("measure a ring, or compare what it answers with one node");
  command
    .argument("[model]", "a loaded model (default: the first), or anything that serve takes")
    .addOption(urlFlag())
    .option("--json", "print one JSON document")
    .addOption(numberFlag("--duration <seconds>", "end by then (default: 60; with --verify 300)", 1, 86_400))
    .option("--verify", "compare greedy answers with the whole model in this process")
    .option("--against <model>", "with --verify: the model to compare with (default: the same)")
    .addOption(numberFlag("--tolerance <d>", "with --verify: how far log-probabilities may differ", 0, 100));
  addConfigFlags(command, BENCH_SETTINGS)
    .addHelpText(
      "after",
      `\nA running node is measured over its HTTP API. Without one, this process\nloads the model that is named for as long as it runs.\n\n${examples(
        "exo-native bench",
        "exo-native bench --url http://192.168.1.20:52415 --json > bench.json",
        "exo-native bench --verify",
      )}`,
    )
    .action(async (model: string | undefined, options: Record<string, unknown>) => {
      const { bench } = await import("./commands/bench.js");
      await bench(model, options, io);
    });
}

function addModels(program: Command, io: CliIo): void {
  const models = program.command("models").description("the models kept on this machine");
  const add = (name: string, description: string, settings: readonly SettingKey[] = []): Command => {
    const command = models.command(name).description(description).option("--json", "print one JSON document");
    return addConfigFlags(command, [...settings, ...COMMON_SETTINGS]);
  };
  const load = () => import("./commands/models.js");
  add("list", "what is kept here, and which names are known").action(async (options: Record<string, unknown>) => {
    await (await load()).listModels(options, io);
  });
  add("pull", "fetch a model, all of it", ["downloadLimit"])
    .argument("<model>", "an hf:, https: or npm: spec, or a known name")
    .action(async (model: string, options: Record<string, unknown>) => (await load()).pullModel(model, options, io));
  add("rm", "remove a model's files")
    .argument("<model>", "as listed")
    .action(async (model: string, options: Record<string, unknown>) => (await load()).removeModel(model, options, io));
  add("verify", "compare a model's files with their hashes")
    .argument("[model]", "as listed; without it, all of them")
    .action(async (model: string | undefined, options: Record<string, unknown>) =>
      (await load()).verifyModels(model, options, io),
    );
  models.addHelpText(
    "after",
    `\n${examples("exo-native models list", "exo-native models pull hf:ggml-org/gemma-3-4b-it-GGUF:Q4_K_M")}`,
  );
}

function addDoctor(program: Command, io: CliIo): void {
  const command = program.command("doctor").description("look at this machine and its network, and say what to mend");
  command.addOption(urlFlag()).option("--json", "print one JSON document");
  addConfigFlags(command, DOCTOR_SETTINGS)
    .addHelpText(
      "after",
      `\nGive it the options that a node would be started with. The exit code is 1 when\nsomething is found that does not work.\n\n${examples(
        "exo-native doctor",
        "exo-native doctor --open --peer 192.168.1.20",
        "exo-native doctor --json",
      )}`,
    )
    .action(async (options: Record<string, unknown>) => {
      const { doctor } = await import("./commands/doctor.js");
      await doctor(options, io);
    });
}

function addDemo(program: Command, io: CliIo): void {
  const command = program.command("demo").description("two nodes on this machine as a ring, with a sample answer");
  command
    .option("--model <model>", "the model to run", "tinyllama")
    .option("--prompt <text>", "the sample question", "What is the capital of France?")
    .option("--once", "stop after the answer");
  addConfigFlags(command, COMMON_SETTINGS).action(
    async (options: { model: string; prompt: string; once?: boolean; [option: string]: unknown }) => {
      const { demo } = await import("./commands/demo.js");
      await demo({ ...options, once: options.once === true }, io);
    },
  );
}

function numberFlag(flags: string, description: string, least: number, most: number): Flag {
  return new Flag(flags, description).argParser((text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`);
  });
}

function urlFlag(): Flag {
  return new Flag("--url <url>", "the node to ask (default: the one on this machine, http://127.0.0.1:52415)").env(
    "EXO_NATIVE_URL",
  );
}

function examples(...lines: readonly string[]): string {
  return ["Examples:", ...lines.map((line) => `  ${line}`)].join("\n");
}
