import type { Config } from "../../config/config.js";
import type { ExoError } from "../../core/errors.js";
import type { ClusterDocument } from "../node-client/cluster-document.js";
import type { DoctorSystem } from "./system.js";

/** A node that answers, and what it knows. */
export interface AnsweringNode {
  readonly url: URL;
  readonly cluster: ClusterDocument;
  /** It is the one whose ports this configuration names, on this machine. */
  readonly isOwn: boolean;
}

/** All that checks look at. */
export interface DoctorContext {
  readonly system: DoctorSystem;
  /** What a node started now would go by. */
  readonly config: Config;
  /** Why the configuration file or the environment cannot be used; `config` is then without them. */
  readonly configFailure: ExoError | null;
  /** `null`: none answers. */
  readonly node: AnsweringNode | null;
  /** Something answers at the node's address, but not as a node should; `null`: no. */
  readonly nodeFailure: ExoError | null;
}
