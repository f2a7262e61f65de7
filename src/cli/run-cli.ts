import { EXIT, exitCodeOf, failureText } from "./failure.js";
import { createProgram } from "./program.js";
import type { CliIo, CliOutput } from "./terminal/cli-io.js";
import { paintFor } from "./terminal/paint.js";

/** Runs one command line and returns its exit code, when all it printed is on its way. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  leaveWhenReaderLeaves(io.stdout);
  leaveWhenReaderLeaves(io.stderr);
  const code = await attempt(args, io);
  await Promise.all([flushed(io.stdout), flushed(io.stderr)]);
  return code;
}

async function attempt(args: readonly string[], io: CliIo): Promise<number> {
  const program = createProgram(io);
  let debug = io.env.EXO_NATIVE_LOG_LEVEL === "debug";
  program.hook("preAction", (_, action) => {
    debug = action.opts().logLevel === "debug" || debug;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return EXIT.done;
  } catch (thrown) {
    const text = failureText(thrown, debug);
    if (text !== null) io.stderr.write(`${text.replace(/^error:/, paintFor(io.stderr, io.env)("red", "error:"))}\n`);
    return exitCodeOf(thrown);
  }
}

/** `exo-native status | head -1`: the reader goes when it has read enough, and there is nobody left to tell. */
function leaveWhenReaderLeaves(output: CliOutput): void {
  output.on("error", (thrown: NodeJS.ErrnoException) => {
    if (thrown.code === "EPIPE" || thrown.code === "EIO") process.exit(EXIT.done);
    throw thrown;
  });
}

function flushed(output: CliOutput): Promise<void> {
  return new Promise((resolve) => {
    output.write("", () => resolve());
  });
}
