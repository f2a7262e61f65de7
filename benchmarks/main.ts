import { relative } from "node:path";
import { StopRequest } from "../src/cli/stop-request.js";
import { DownloadDisplay } from "../src/cli/terminal/download-display.js";
import { paintFor } from "../src/cli/terminal/paint.js";
import { StatusScreen } from "../src/cli/terminal/status-screen.js";
import { loadConfig } from "../src/config/load.js";
import { ExoError } from "../src/core/errors.js";
import { ModelStore } from "../src/model/model-store.js";
import type { ResolvedModel } from "../src/model/resolved-model.js";
import { bench } from "./bench.js";
import { type BenchOptions, parseRequest, type Request, UsageError } from "./options.js";
import type { Outcome } from "./outcome.js";
import { ensurePeers } from "./peers/ensure.js";
import { saveReport } from "./report/save-report.js";

/** Progress goes to the error output, so that the report can be piped. */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<void> {
  const request = readRequest(args);
  if (request === null) return;
  if (request.kind === "print") {
    process.stdout.write(request.text);
    return;
  }
  const { options } = request;
  const model = await fetchModel(options.model);
  if (options.buildPeers) await ensurePeers(options.cases, say);
  const outcome = await runUntilStopped(model, options);
  if (outcome === null) {
    say("Stopped; nothing was saved.");
    process.exitCode = 1;
    return;
  }
  const { markdown, files } = await saveReport(outcome, options.outDirectory);
  process.stdout.write(`\n${markdown}`);
  say(`\nSaved:\n${files.map((file) => `  ${relative(process.cwd(), file)}`).join("\n")}`);
  if (outcome.cases.some(({ subjects }) => subjects.some(({ failure }) => failure !== null))) process.exitCode = 1;
}

/** `null`: Ctrl-C or the like came. Nodes and servers are ended either way; a second Ctrl-C does not wait for them. */
async function runUntilStopped(model: ResolvedModel, options: BenchOptions): Promise<Outcome | null> {
  const stop = new StopRequest(
    process,
    () => performance.now(),
    () => process.exit(1),
  );
  try {
    const outcome = await bench(model, options, say, stop.signal);
    return stop.signal.aborted ? null : outcome;
  } finally {
    stop.release();
  }
}

/** `null`: the usage was wrong, and was told. */
function readRequest(args: readonly string[]): Request | null {
  try {
    return parseRequest(args);
  } catch (thrown) {
    if (!(thrown instanceof UsageError)) throw thrown;
    say(`error: ${thrown.message}`);
    process.exitCode = 2;
    return null;
  }
}

/** From the cache of `npm start`, or from where it comes. */
async function fetchModel(spec: BenchOptions["model"]): Promise<ResolvedModel> {
  const { paths } = await loadConfig();
  const now = (): number => performance.now();
  const screen = new StatusScreen(process.stderr, now);
  const display = new DownloadDisplay(screen, paintFor(process.stderr, process.env), spec, now);
  try {
    const store = new ModelStore({ modelsDir: paths.modelsDir });
    return await store.resolve(spec, { onProgress: (progress) => display.update(progress) });
  } finally {
    display.finish();
    screen.clear();
  }
}

try {
  await main(process.argv.slice(2));
} catch (thrown) {
  say(`error: ${ExoError.from(thrown).message}`);
  process.exitCode = 1;
}
