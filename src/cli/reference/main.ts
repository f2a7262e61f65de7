import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { createProgram } from "../program.js";
import { processIo } from "../terminal/cli-io.js";
import { generatedDocs } from "./cli-docs.js";

for (const { path, text } of generatedDocs(createProgram(processIo()))) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
