import { existsSync, realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ExoError } from "../core/errors.js";
import { packageRoot } from "../core/package.js";

/** A file of a package that the page imports, sent as `/modules/vendor/<name>`. */
export interface VendorModule {
  readonly name: string;
  /** Packages from ours to the one that holds the file: each is looked for from the one before it. */
  readonly packages: readonly string[];
  /** Relative to the package. */
  readonly file: string;
  /** CommonJS without `require`: browsers know only ES modules. */
  readonly commonJs: boolean;
}

/** Languages whose code the page colours. */
const LANGUAGES = [
  ...["bash", "cpp", "css", "diff", "go", "ini", "java", "javascript", "json", "markdown", "python", "rust"],
  ...["sql", "typescript", "xml", "yaml"],
];

/** Everything that the import map of `index.html` names; nothing else of `node_modules` is sent. */
export const VENDOR_MODULES: readonly VendorModule[] = [
  esModule("preact.js", ["preact"], "dist/preact.mjs"),
  esModule("preact-hooks.js", ["preact"], "hooks/dist/hooks.mjs"),
  esModule("htm.js", ["htm"], "dist/htm.mjs"),
  esModule("htm-preact.js", ["htm"], "preact/index.mjs"),
  esModule("signals.js", ["@preact/signals"], "dist/signals.mjs"),
  esModule("signals-core.js", ["@preact/signals", "@preact/signals-core"], "dist/signals-core.mjs"),
  esModule("marked.js", ["marked"], "lib/marked.esm.js"),
  // Not its index: that brings the grammars of 190 languages.
  esModule("lowlight.js", ["lowlight"], "lib/index.js"),
  esModule("devlop.js", ["lowlight", "devlop"], "lib/default.js"),
  { ...esModule("highlight.js", ["lowlight", "highlight.js"], "lib/core.js"), commonJs: true },
  ...LANGUAGES.map((name) => esModule(`language-${name}.js`, ["lowlight", "highlight.js"], `es/languages/${name}.js`)),
];

/** The module's text, as a browser can run it. */
export async function readVendorModule({ packages, file, commonJs }: VendorModule): Promise<string> {
  const folder = packages.reduce(packageFolder, packageRoot());
  const text = await readFile(join(folder, file), "utf8");
  return commonJs ? `const module = { exports: {} };\n${text}\nexport default module.exports;\n` : text;
}

function esModule(name: string, packages: readonly string[], file: string): VendorModule {
  return { name, packages, file, commonJs: false };
}

/** Where Node finds a package, seen from a folder: in the nearest `node_modules` that has it. */
function packageFolder(from: string, name: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    // pnpm and workspaces link packages; what a package needs lies beside its real place.
    if (existsSync(candidate)) return realpathSync(candidate);
    if (folder === dirname(folder)) {
      throw new ExoError("internal", `The package ${name} is missing, which the page needs; install exo-native again.`);
    }
  }
}
