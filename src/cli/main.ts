#!/usr/bin/env node
import { EXIT } from "./failure.js";
import { runCli } from "./run-cli.js";
import { SupervisedProcess } from "./supervise/supervised-process.js";
import { takeSupervision } from "./supervise/supervision.js";
import { processIo } from "./terminal/cli-io.js";

// Everybody on the machine can see the arguments of a process, unless they are written over.
if (process.argv.some((argument) => /^--(?:api-key|join)\b/.test(argument))) process.title = "exo-native";

// Holds if nothing is left to wait for before the command has come to its end.
process.exitCode = EXIT.failed;
const supervision = takeSupervision(process);
const supervised = supervision === null ? undefined : new SupervisedProcess(process, supervision);
supervised?.begin();
const code = await runCli(process.argv.slice(2), processIo(supervised));
await supervised?.tell({ type: "goodbye", code });
process.exit(code);
