import type { Measure, RingSpec } from "../cases/bench-case.js";
import type { Figures } from "../figures.js";
import { Prompts } from "../prompts.js";
import { residentPagesOf } from "./resident-pages.js";
import { type ClusterDocument, RingClient, type StageWork } from "./ring-client.js";
import { measureRing } from "./ring-measures.js";
import { type RingProcesses, startRingProcesses } from "./ring-processes.js";
import { speculationArguments } from "./speculation.js";
import type { Subject, SubjectContext } from "./subject.js";

/** A ring of `serve` processes on this machine, each kept on a processor of its own as far as there are enough. */
export class RingUnderTest implements Subject {
  readonly client: RingClient;
  readonly prompts: Prompts;
  readonly stageCount: number;
  readonly #processes: RingProcesses;
  readonly #clients: readonly RingClient[];
  readonly #modelPath: string;

  private constructor(processes: RingProcesses, clients: readonly RingClient[], prompts: Prompts, modelPath: string) {
    const [client] = clients;
    if (client === undefined) throw new Error("a ring has at least one node");
    this.client = client;
    this.prompts = prompts;
    this.stageCount = clients.length;
    this.#processes = processes;
    this.#clients = clients;
    this.#modelPath = modelPath;
  }

  static async start(spec: RingSpec, context: SubjectContext): Promise<RingUnderTest> {
    const processes = await startRingProcesses(spec, context, speculationArguments(spec.speculation));
    try {
      const clients = processes.nodes.map((node) => new RingClient(node.http, context.timeout));
      const prompts = await Prompts.load((text) => clientOf(clients).tokenize(text));
      return new RingUnderTest(processes, clients, prompts, context.modelPath);
    } catch (thrown) {
      await processes.close();
      throw thrown;
    }
  }

  measure(measure: Measure): Promise<Figures> {
    return measureRing(this, measure);
  }

  settings(): Readonly<Record<string, string>> {
    return {};
  }

  /** What each stage did since it was loaded, in ring order. Every node is asked itself: it knows its own at once. */
  async work(): Promise<readonly StageWork[]> {
    const documents = await Promise.all(this.#clients.map((client) => client.cluster()));
    return documents
      .map(ownStage)
      .sort((a, b) => a.stage_index - b.stage_index)
      .map((stage) => stage.work);
  }

  /** Bytes of the model's file that each node has in memory, the head first; `null` where the system does not say. */
  residentPages(): Promise<readonly (number | null)[]> {
    return Promise.all(this.#processes.nodes.map(({ pid }) => residentPagesOf(this.#modelPath, pid)));
  }

  /** Ends the last node as a power cut would. */
  async killLast(): Promise<void> {
    await this.#processes.nodes.at(-1)?.kill();
  }

  close(): Promise<void> {
    return this.#processes.close();
  }
}

function clientOf(clients: readonly RingClient[]): RingClient {
  const [client] = clients;
  if (client === undefined) throw new Error("a ring has at least one node");
  return client;
}

function ownStage({ node, nodes }: ClusterDocument) {
  const stage = nodes.find(({ id }) => id === node.id)?.stages?.[0];
  if (stage === undefined) throw new Error(`node ${node.id} holds no stage`);
  return stage;
}
