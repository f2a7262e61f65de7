import { styleText } from "node:util";
import { Command } from "commander";
import { wantsColours } from "../core/colours.js";
import { packageVersion } from "../core/package.js";
import { addBench } from "./definitions/bench.js";
import { addCluster } from "./definitions/cluster.js";
import { addCompletion } from "./definitions/completion.js";
import { addDemo } from "./definitions/demo.js";
import { addDoctor } from "./definitions/doctor.js";
import { addDrain } from "./definitions/drain.js";
import { addEstimate } from "./definitions/estimate.js";
import { addNotes } from "./definitions/help-notes.js";
import { addKeys } from "./definitions/keys.js";
import { addModels } from "./definitions/models.js";
import { addPlan } from "./definitions/plan.js";
import { addRun } from "./definitions/run.js";
import { addServe } from "./definitions/serve.js";
import { addStatus } from "./definitions/status.js";
import type { CliIo } from "./terminal/cli-io.js";

const DESCRIPTION =
  "Run one quantized GGUF model across the machines you own: a ring of llama.cpp layer ranges behind one " +
  "OpenAI-compatible endpoint.";

const EXAMPLES = ["npm start", "exo-native serve tinyllama", "exo-native run tinyllama", "exo-native status --watch"];

const MORE =
  "exo-native <command> --help lists a command's options, with examples.\n" +
  "Exit codes: 0 done, 1 failed, 2 bad usage.";

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
      getOutHasColors: () => wantsColours(io.stdout.isTTY === true, io.env),
      getErrHasColors: () => wantsColours(io.stderr.isTTY === true, io.env),
    })
    .configureHelp({
      styleTitle: (title) => styleText("bold", title, { validateStream: false }),
      showGlobalOptions: false,
    });
  addNotes(program, EXAMPLES, MORE);
  addServe(program, io);
  addRun(program, io);
  addStatus(program, io);
  addDrain(program, io);
  addPlan(program, io);
  addEstimate(program, io);
  addBench(program, io);
  addModels(program, io);
  addCluster(program, io);
  addKeys(program, io);
  addDoctor(program, io);
  addDemo(program, io);
  addCompletion(program, io);
  return program;
}
