import assert from "node:assert/strict";
import type { Stamp } from "../../src/cluster/membership/claim.js";
import { type GossipMessage, GossipState, type LinkState } from "../../src/cluster/membership/gossip-state.js";

interface Note extends Stamp {
  readonly text: number;
}

type Message = GossipMessage<Note>;

interface Letter {
  readonly from: number;
  readonly to: number;
  readonly message: Message;
  readonly isQuestion: boolean;
}

export type Step =
  | { readonly kind: "gossip" | "beat" | "cut" | "mend"; readonly from: number; readonly to: number }
  | { readonly kind: "deliver"; readonly which: number; readonly again: boolean }
  | { readonly kind: "lose"; readonly which: number }
  | { readonly kind: "wait"; readonly milliseconds: number }
  | { readonly kind: "change" | "stop"; readonly node: number }
  | { readonly kind: "start"; readonly node: number; readonly clock: number };

const LIMITS = { suspectMs: 1000, forgetMs: 3_600_000, mostNodes: 100, messageBytes: 1_000_000 };
const MISSES_UNTIL_DOWN = 3;
const BEAT_MS = 500;
/** Enough to find who is gone, and for every contradiction of that to come round. */
const CALM_ROUNDS = 14;

class Node {
  state: GossipState<Note>;
  isRunning = true;
  text = 0;
  /** Heartbeats missed in a row, by index of the other node; none of those never heard. */
  misses = new Map<number, number>();
  readonly id: string;
  #starts = 0;

  constructor(readonly index: number) {
    this.id = `n${index}`;
    this.state = this.#fresh(1_000_000);
  }

  start(wallClock: number): void {
    this.state = this.#fresh(Math.max(0, wallClock));
    this.misses = new Map();
    this.isRunning = true;
  }

  /** What it says of itself now. */
  publish(): Note {
    return this.state.publish({ id: this.id, instance: "", incarnation: 0, revision: 0, text: this.text });
  }

  hears(id: string): boolean {
    return this.linkTo(id) === "up";
  }

  linkTo(id: string): LinkState {
    const misses = this.misses.get(Number(id.slice(1))) ?? MISSES_UNTIL_DOWN;
    if (misses === 0) return "up";
    return misses < MISSES_UNTIL_DOWN ? "failing" : "down";
  }

  #fresh(incarnation: number): GossipState<Note> {
    this.#starts += 1;
    return new GossipState({ id: this.id, instance: `${this.id}-${this.#starts}`, incarnation }, LIMITS);
  }
}

/** Nodes of which each has what `Membership` has but sockets and timers: links that break, letters that get lost. */
export class Network {
  readonly #nodes: readonly Node[];
  readonly #cuts = new Set<string>();
  readonly #post: Letter[] = [];
  #now = 0;

  constructor(count: number) {
    this.#nodes = Array.from({ length: count }, (_, index) => new Node(index));
  }

  take(step: Step): void {
    switch (step.kind) {
      case "gossip":
        this.#ask(step.from, step.to);
        break;
      case "beat":
        this.#beat(step.from, step.to);
        break;
      case "cut":
        this.#cuts.add(wire(step.from, step.to));
        break;
      case "mend":
        this.#cuts.delete(wire(step.from, step.to));
        break;
      case "deliver":
        this.#deliver(step.which, step.again);
        break;
      case "lose":
        if (this.#post.length > 0) this.#post.splice(step.which % this.#post.length, 1);
        break;
      case "wait":
        this.#now += step.milliseconds;
        this.#expire();
        break;
      case "change":
        this.#node(step.node).text += 1;
        break;
      case "stop":
        this.#node(step.node).isRunning = false;
        break;
      case "start":
        if (!this.#node(step.node).isRunning) this.#node(step.node).start(1_000_000 + this.#now + step.clock);
        break;
    }
  }

  /** A heartbeat's time: everybody asks everybody it knows, and gossips with who answers. */
  round(): void {
    this.#now += BEAT_MS;
    const running = this.#nodes.filter(({ isRunning }) => isRunning);
    for (const from of running) {
      for (const to of this.#nodes) if (from.state.said(to.id) !== null) this.#beat(from.index, to.index);
    }
    for (const from of running) {
      for (const to of running) {
        if (from.hears(to.id)) this.#ask(from.index, to.index);
        while (this.#post.length > 0) this.#deliver(0, false);
      }
    }
    this.#expire();
  }

  /** Nothing is lost any more, everybody meets the first node, and time passes. */
  calmDown(): void {
    this.#cuts.clear();
    this.#post.length = 0;
    for (const { index, isRunning } of this.#nodes) if (isRunning) this.#beat(index, 0);
    for (let round = 0; round < CALM_ROUNDS; round += 1) this.round();
  }

  /** Everybody who runs knows everybody who runs as they are now, and nobody who does not. */
  assertAgreement(): void {
    for (const one of this.#nodes.filter(({ isRunning }) => isRunning)) {
      for (const other of this.#nodes) {
        if (other === one) continue;
        const said = one.state.said(other.id);
        if (other.isRunning) {
          assert.deepEqual(
            said && [said.standing, said.record],
            ["alive", other.publish()],
            `${one.id} of ${other.id}`,
          );
        } else {
          assert.ok(said === null || said.standing === "gone", `${one.id} takes ${other.id} for ${said?.standing}`);
        }
      }
    }
  }

  #ask(from: number, to: number): void {
    const node = this.#node(from);
    if (from === to || !node.isRunning) return;
    node.publish();
    const digests = node.state.digests(this.#now, (id) => node.hears(id));
    this.#post.push({ from, to, message: { from: node.id, digests, items: [], wanted: [] }, isQuestion: true });
  }

  #deliver(which: number, again: boolean): void {
    const at = which % Math.max(1, this.#post.length);
    const letter = this.#post[at];
    if (letter === undefined) return;
    if (!again) this.#post.splice(at, 1);
    const { from, to, message, isQuestion } = letter;
    const node = this.#node(to);
    if (!node.isRunning || this.#cuts.has(wire(from, to))) return;
    node.publish();
    node.state.receive(message, this.#now);
    if (isQuestion) {
      const answer = node.state.answer(message, this.#now, (id) => node.hears(id));
      if (message.digests !== null) this.#post.push({ from: to, to: from, message: answer, isQuestion: false });
    } else if (message.wanted.length > 0) {
      const items = node.state.items(message.wanted, this.#now);
      const records = { from: node.id, digests: null, items, wanted: [] };
      this.#post.push({ from: to, to: from, message: records, isQuestion: true });
    }
  }

  #beat(from: number, to: number): void {
    const [node, other] = [this.#node(from), this.#node(to)];
    if (from === to || !node.isRunning) return;
    if (other.isRunning && !this.#cuts.has(wire(from, to))) {
      node.state.heard(other.publish(), this.#now);
      node.misses.set(to, 0);
    } else {
      node.misses.set(to, (node.misses.get(to) ?? MISSES_UNTIL_DOWN) + 1);
      node.state.suspect(other.id, this.#now);
    }
  }

  #expire(): void {
    for (const node of this.#nodes) if (node.isRunning) node.state.expire(this.#now, (id) => node.linkTo(id));
  }

  #node(index: number): Node {
    const node = this.#nodes[index];
    assert.ok(node !== undefined, `there is no node ${index}`);
    return node;
  }
}

function wire(a: number, b: number): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
