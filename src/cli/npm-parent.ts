import type { StopRequest } from "./stop-request.js";
import type { CliIo } from "./terminal/cli-io.js";

/** Milliseconds between two looks at the parent process. */
const LOOK_INTERVAL = 500;

/**
 * npm and npx run a command in a shell that dies of a signal without passing it on. Whoever stops npm means this
 * process too, so under npm it stops when that shell is gone.
 */
export function stopWithNpm(stop: StopRequest, env: CliIo["env"], parentId: () => number): void {
  if (env.npm_lifecycle_event === undefined) return;
  const first = parentId();
  const timer = setInterval(() => {
    if (parentId() !== first) stop.request();
  }, LOOK_INTERVAL);
  timer.unref();
  stop.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
