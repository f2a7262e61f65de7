import type { NodeProcess } from "../../test/support/node-process.js";
import type { Measure, RingSpec } from "../cases/bench-case.js";
import { Continuations } from "../continuations.js";
import type { Figures } from "../figures.js";
import { clientRemark, stayBeside } from "../host/pinning.js";
import { Prompts } from "../prompts.js";
import { residentPagesOf } from "./resident-pages.js";
import { type ClusterDocument, RingClient, type StageWork } from "./ring-client.js";
import { measureRing, warmUpRing } from "./ring-measures.js";
import { type RingProcesses, startRingProcesses } from "./ring-processes.js";
import { speculationArguments } from "./speculation.js";
import type { Subject, SubjectContext } from "./subject.js";

/** One process, and what it is called in the cluster. */
interface Member {
  readonly id: string;
  readonly process: NodeProcess;
  readonly client: RingClient;
}

/** A ring of `serve` processes on this machine, each kept on a processor of its own as far as there are enough. */
export class RingUnderTest implements Subject {
  /** Of the head. */
  readonly client: RingClient;
  readonly prompts: Prompts;
  readonly continuations = new Continuations();
  readonly #processes: RingProcesses;
  readonly #members: readonly Member[];
  readonly #context: SubjectContext;
  /** Cores that the nodes have. */
  readonly #cores: number;
  readonly #cut: Readonly<Record<string, string>>;

  private constructor(
    processes: RingProcesses,
    members: readonly Member[],
    prompts: Prompts,
    context: SubjectContext,
    { cores, cut }: { readonly cores: number; readonly cut: Readonly<Record<string, string>> },
  ) {
    this.client = headOf(members).client;
    this.prompts = prompts;
    this.#processes = processes;
    this.#members = members;
    this.#context = context;
    this.#cores = cores;
    this.#cut = cut;
  }

  static async start(spec: RingSpec, context: SubjectContext): Promise<RingUnderTest> {
    const processes = await startRingProcesses(spec, context, speculationArguments(spec.speculation));
    try {
      const members = await Promise.all(processes.nodes.map((process) => join(process, context)));
      const prompts = await Prompts.load((text) => headOf(members).client.tokenize(text));
      const cores = spec.shareCores ? context.pinning.cores.length : spec.nodes;
      const cut = cutOf(await headOf(members).client.cluster());
      return new RingUnderTest(processes, members, prompts, context, { cores, cut });
    } catch (thrown) {
      await processes.close();
      throw thrown;
    }
  }

  warmUp(): Promise<void> {
    return warmUpRing(this);
  }

  measure(measure: Measure): Promise<Figures> {
    stayBeside(this.#cores, this.#context.pinning);
    return measureRing(this, measure);
  }

  settings(): Readonly<Record<string, string>> {
    return { ...this.#cut, ...clientRemark(this.#cores, this.#context.pinning) };
  }

  /** What each stage did since it was loaded, in ring order. Every node is asked itself: it knows its own at once. */
  async work(): Promise<readonly StageWork[]> {
    const documents = await Promise.all(this.#members.map(({ client }) => client.cluster()));
    return documents
      .map(ownStage)
      .sort((a, b) => a.stage_index - b.stage_index)
      .map((stage) => stage.work);
  }

  /** Node → bytes of the model's file that it has in memory; `null`: not known. */
  async residentPages(): Promise<ReadonlyMap<string, number | null>> {
    const pages = this.#members.map(
      async ({ id, process }) => [id, await residentPagesOf(this.#context.modelPath, process.pid)] as const,
    );
    return new Map(await Promise.all(pages));
  }

  /** The node with the last stage of the ring, which need not be the one that was started last: some may be to spare. */
  async lastStage(): Promise<Pick<NodeProcess, "kill">> {
    const { node, rings } = await this.client.cluster();
    const last = rings[0]?.stages.at(-1)?.node_id;
    const member = this.#members.find(({ id }) => id === last && id !== node.id);
    if (member === undefined) throw new Error("the ring has no stage on a node other than its head");
    return member.process;
  }

  close(): Promise<void> {
    return this.#processes.close();
  }
}

async function join(process: NodeProcess, { timeout }: SubjectContext): Promise<Member> {
  const client = new RingClient(process.http, timeout);
  return { id: (await client.cluster()).node.id, process, client };
}

function headOf(members: readonly Member[]): Member {
  const [head] = members;
  if (head === undefined) throw new Error("a ring has at least one node");
  return head;
}

/** How many layers each node of a ring has, the head's first: what the planner chose says much about the figures. */
function cutOf({ rings }: ClusterDocument): Readonly<Record<string, string>> {
  const layers = rings[0]?.stages.map(({ layer_begin, layer_end }) => layer_end - layer_begin) ?? [];
  return layers.length < 2 ? {} : { layers: layers.join(" + ") };
}

function ownStage({ node, nodes }: ClusterDocument) {
  const stage = nodes.find(({ id }) => id === node.id)?.stages?.[0];
  if (stage === undefined) throw new Error(`node ${node.id} holds no stage`);
  return stage;
}
