import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { packageRoot, packageVersion } from "../../core/package.js";
import { commandFacts } from "./command-facts.js";
import { manPage } from "./man-page.js";
import { withReference } from "./markdown.js";

export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/** The files that are made of the command line's definition, as they should be now. */
export function generatedDocs(program: Command): readonly GeneratedFile[] {
  const commands = commandFacts(program);
  const page = join(packageRoot(), "docs", "cli.md");
  return [
    { path: page, text: withReference(readFileSync(page, "utf8"), commands) },
    {
      path: join(packageRoot(), "man", "exo-native.1"),
      text: manPage(packageVersion(), program.description(), commands),
    },
  ];
}
