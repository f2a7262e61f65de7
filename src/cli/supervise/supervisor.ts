import { basename } from "node:path";
import { EXIT } from "../failure.js";
import type { StopRequest } from "../stop-request.js";
import { type MachineFacts, reportOf } from "./crash-facts.js";
import type { CrashReport } from "./crash-report.js";
import type { CrashStore } from "./crash-store.js";
import type { NodeChild, NodeEnd } from "./node-child.js";
import { RestartPolicy } from "./restart-policy.js";
import type { KeptIdentity, Supervision } from "./supervision.js";
import type { Voice } from "./supervisor-voice.js";
import { SuspectModels } from "./suspect-models.js";

export interface SupervisorOptions {
  /** The node's name. */
  readonly name: string;
  readonly spawn: (supervision: Omit<Supervision, "terminal">) => NodeChild;
  readonly stop: Pick<StopRequest, "signal">;
  readonly store: Pick<CrashStore, "keep">;
  readonly machine: MachineFacts;
  readonly say: Voice;
  /** Waits, but no longer than until the signal aborts. */
  readonly pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly wall: () => number;
}

/** A node that was asked to stop and does not is ended after so many milliseconds. */
const STOP_GRACE = 20_000;

/** The exit code of a process that meant to end; `null`: it crashed. Whoever ends without a fault meant to. */
function meantCode({ goodbye, exitCode }: NodeEnd): number | null {
  return exitCode === EXIT.done ? EXIT.done : goodbye;
}

/** Keeps a node running: one process after the other, until it is asked to stop or there is no use in going on. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #policy = new RestartPolicy();
  readonly #suspects = new SuspectModels();
  #kept: KeptIdentity | null = null;
  #restarts = 0;
  #child: NodeChild | null = null;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Resolves with the exit code for this process. */
  async run(): Promise<number> {
    const { signal } = this.#options.stop;
    for (;;) {
      const kills = await this.#options.machine.oomKills();
      const end = await this.#runOnce();
      if (signal.aborted) return end.exitCode === EXIT.done ? EXIT.done : EXIT.failed;
      const meant = meantCode(end);
      if (meant !== null && this.#isFinal(meant)) return meant;
      const wait = await this.#lookInto(end, kills);
      if (wait === null) return EXIT.failed;
      await this.#options.pause(wait, signal);
      if (signal.aborted) return EXIT.done;
      this.#restarts += 1;
    }
  }

  /** Ends the node at once. */
  kill(): void {
    this.#child?.kill();
  }

  /** A node that fails at its first start says why, and trying again would say the same. */
  #isFinal(code: number): boolean {
    return code !== EXIT.failed || this.#restarts === 0;
  }

  async #runOnce(): Promise<NodeEnd> {
    const { spawn, stop, pause } = this.#options;
    const child = spawn({ restarts: this.#restarts, kept: this.#kept, refused: this.#suspects.refused() });
    this.#child = child;
    const over = new AbortController();
    const onStop = (): void => {
      child.stop();
      void pause(STOP_GRACE, over.signal).then(() => {
        if (!over.signal.aborted) child.kill();
      });
    };
    stop.signal.addEventListener("abort", onStop, { once: true });
    const end = await child.ended;
    over.abort();
    stop.signal.removeEventListener("abort", onStop);
    this.#child = null;
    this.#kept = end.identity ?? this.#kept;
    return end;
  }

  /** Milliseconds until the next start; `null`: there shall be none. */
  async #lookInto(end: NodeEnd, killsBefore: number | null): Promise<number | null> {
    const before = this.#policy.inARow;
    const wait = this.#policy.next(end.uptime);
    if (end.goodbye !== null) return this.#sayRefusal(wait);
    const report = await this.#report(end, killsBefore);
    const file = await this.#options.store.keep(report);
    this.#sayCrash(report, wait, file);
    // Whoever ends the process with SIGKILL says nothing about its models.
    if (report.kind !== "killed") this.#suspect(report, this.#policy.inARow <= before);
    return wait;
  }

  async #report(end: NodeEnd, killsBefore: number | null): Promise<CrashReport> {
    const { name, machine, wall } = this.#options;
    const kills = await machine.oomKills();
    return reportOf(end, {
      name,
      inARow: this.#policy.inARow,
      oomKills: kills === null || killsBefore === null ? null : kills - killsBefore,
      memory: await machine.memory(),
      now: wall(),
    });
  }

  #sayCrash({ cause }: CrashReport, wait: number | null, file: string | null): void {
    const kept = file === null ? "" : ` The report is ${file}; exo-native doctor tells of it.`;
    const what = `The node crashed: ${cause}.`;
    if (wait === null) {
      const why = `It does so at each start (${this.#policy.inARow} times in a row): it is not started again.`;
      this.#options.say("error", `${what} ${why}${kept}`);
    } else this.#options.say("error", `${what} It starts again in ${wait / 1000} s.${kept}`);
  }

  #sayRefusal(wait: number | null): number | null {
    const next = wait === null ? "it is not tried again" : `it is tried again in ${wait / 1000} s`;
    this.#options.say("warn", `The node could not start after its crash; ${next}.`);
    return wait;
  }

  #suspect({ stages }: CrashReport, afterHealth: boolean): void {
    const paths = stages.map(({ path }) => path);
    for (const path of this.#suspects.crashedWith(paths, afterHealth)) {
      this.#options.say(
        "warn",
        `The node crashed again and again with ${basename(path)}: from now on it refuses this model, until serve is started anew.`,
      );
    }
  }
}
