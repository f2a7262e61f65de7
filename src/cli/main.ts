#!/usr/bin/env node
import { EXIT } from "./failure.js";
import { runCli } from "./run-cli.js";
import { processIo } from "./terminal/cli-io.js";

// Holds if nothing is left to wait for before the command has come to its end.
process.exitCode = EXIT.failed;
const code = await runCli(process.argv.slice(2), processIo());
process.exit(code);
