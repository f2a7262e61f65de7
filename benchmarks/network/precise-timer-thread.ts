/** Thread of `precise-timer.ts`: sleeps in Atomics.wait, which unlike a timer of the event loop is exact to some 50 µs. */
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";

const { state } = z.object({ state: z.instanceof(SharedArrayBuffer) }).parse(workerData);
const changes = new Int32Array(state, 0, 1);
/** Microseconds on the clock that both threads share; 0: nothing to wait for. */
const due = new BigInt64Array(state, 8, 1);

for (;;) {
  const change = Atomics.load(changes, 0);
  const at = Atomics.load(due, 0);
  const wait = at === 0n ? Number.POSITIVE_INFINITY : Number(at) / 1000 - (performance.timeOrigin + performance.now());
  if (wait > 0 && Atomics.wait(changes, 0, change, wait) !== "timed-out") continue;
  if (at < 0n) break;
  Atomics.compareExchange(due, 0, at, 0n);
  parentPort?.postMessage(null);
}
