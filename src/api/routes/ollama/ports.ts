import type { ClusterView, ModelLibrary, RingControl } from "../../ports.js";
import type { AnswerPorts } from "../answer.js";

/** What Ollama's routes need. */
export interface OllamaPorts extends AnswerPorts {
  readonly cluster: ClusterView;
  readonly rings: RingControl;
  readonly library: ModelLibrary;
}
