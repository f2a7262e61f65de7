import { silentLogger, systemClock } from "../../src/core/ports.js";
import { StageWatchdog } from "../../src/runtime/stage-watchdog.js";

/** For tests in which no thread hangs. */
export function patientWatchdog(): StageWatchdog {
  return new StageWatchdog({ leastSeconds: 600, clock: systemClock, logger: silentLogger, onHang: () => {} });
}
