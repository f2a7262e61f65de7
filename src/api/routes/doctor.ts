import type { FastifyInstance } from "fastify";
import { ExoError } from "../../core/errors.js";
import { pause } from "../../core/waiting.js";
import type { ClusterView, Doctor } from "../ports.js";
import { sharedLook } from "../shared-look.js";

/** More than the checks take together, each of which has a limit of its own. Milliseconds. */
const LONGEST = 30_000;

export interface DoctorPorts {
  /** `null`: whoever started this node gave it none. */
  readonly doctor: Doctor | null;
  readonly cluster: ClusterView;
  /** Of this API. */
  readonly url: () => string;
}

/** `GET /cluster/doctor`: looks at this machine, once at a time. */
export function doctorRoute(app: FastifyInstance, { doctor, cluster, url }: DoctorPorts): void {
  const look = sharedLook(
    async () => {
      if (doctor === null) throw noDoctor();
      return doctor.examine({ url: new URL(url()), cluster: cluster.snapshot() });
    },
    (signal) => pause(LONGEST, signal),
  );
  app.get("/cluster/doctor", look);
}

function noDoctor(): ExoError {
  return new ExoError(
    "unsupported",
    "This node was started by another program, without the checks; run `npx exo-native doctor` on its machine.",
  );
}
