#!/usr/bin/env node
import { runCli } from "./run-cli.js";
import { processIo } from "./terminal/cli-io.js";

const code = await runCli(process.argv.slice(2), processIo());
process.exit(code);
