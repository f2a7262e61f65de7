#!/usr/bin/env node
import { EXIT } from "./failure.js";
import { runCli } from "./run-cli.js";
import { processIo } from "./terminal/cli-io.js";

// Everybody on the machine can see the arguments of a process, unless they are written over.
if (process.argv.some((argument) => /^--(?:api-key|join)\b/.test(argument))) process.title = "exo-native";

// Holds if nothing is left to wait for before the command has come to its end.
process.exitCode = EXIT.failed;
const code = await runCli(process.argv.slice(2), processIo());
process.exit(code);
