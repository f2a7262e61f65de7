import type { FastifyInstance } from "fastify";
import { ExoError } from "../../core/errors.js";
import { pause } from "../../core/waiting.js";
import type { ClusterView, Doctor, DoctorReport } from "../ports.js";

/** More than the checks take together, each of which has a limit of its own. Milliseconds. */
const LONGEST = 30_000;

export interface DoctorPorts {
  /** `null`: whoever started this node gave it none. */
  readonly doctor: Doctor | null;
  readonly cluster: ClusterView;
  /** Of this API. */
  readonly url: () => string;
  /** Resolves when a look has taken too long, or when the signal aborts. */
  readonly timeLimit?: (signal: AbortSignal) => Promise<void>;
}

/** `GET /cluster/doctor`: one look at a time, which all that ask meanwhile share. */
export function doctorRoute(app: FastifyInstance, ports: DoctorPorts): void {
  const { doctor, cluster, url, timeLimit = (signal) => pause(LONGEST, signal) } = ports;
  let running: Promise<DoctorReport> | null = null;
  const look = (found: Doctor): Promise<DoctorReport> => {
    running ??= found.examine({ url: new URL(url()), cluster: cluster.snapshot() }).finally(() => {
      running = null;
    });
    return running;
  };
  app.get("/cluster/doctor", () => {
    if (doctor === null) throw noDoctor();
    return within(look(doctor), timeLimit);
  });
}

/** A look that goes on beyond its time is not begun a second time; who asks later gets its answer. */
async function within(
  look: Promise<DoctorReport>,
  timeLimit: (signal: AbortSignal) => Promise<void>,
): Promise<DoctorReport> {
  const done = new AbortController();
  try {
    return await Promise.race([
      look,
      timeLimit(done.signal).then(() => {
        throw new ExoError("deadline_exceeded", "The look at this machine takes too long; ask again in a minute.");
      }),
    ]);
  } finally {
    done.abort();
  }
}

function noDoctor(): ExoError {
  return new ExoError(
    "unsupported",
    "This node was started by another program, without the checks; run `npx exo-native doctor` on its machine.",
  );
}
