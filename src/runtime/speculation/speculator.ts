import { fadingAverage } from "../../core/statistics.js";
import type { GenerationJob } from "../slot.js";
import { computePasses, type SequenceRows } from "./compute-passes.js";
import { chooseDraftLengths, type RoundSeconds } from "./draft-lengths.js";
import { HitRates } from "./hit-rates.js";
import { LOSSES_OF_RING, LossBudget } from "./loss-budget.js";
import type { Drafter } from "./model-draft.js";
import { PassTimes } from "./pass-times.js";
import { type Guess, MODEL_PRIORS, NGRAM_PRIORS, RequestDrafts } from "./request-drafts.js";

export interface SpeculatorOptions {
  readonly stageCount: number;
  /** Copy what followed the same tokens before. */
  readonly ngrams: boolean;
  readonly model: Drafter | null;
  /** Drafted tokens of one request, and of one micro-batch, at most. */
  readonly perRequest: number;
  readonly perMicroBatch: number;
}

/** A running request whose next token is known. */
export interface DraftCandidate {
  readonly job: GenerationJob;
  readonly sequence: number;
  /** Tokens that may follow its next one, by its own limit and the context. */
  readonly room: number;
}

/** How busy the ring is. */
export interface RingLoad {
  /** Requests that decode, and the groups in which they go round. */
  readonly running: number;
  readonly groups: number;
}

export interface DecodedRequest {
  readonly job: GenerationJob;
  readonly sequence: number;
  readonly drafted: number;
  /** That it got; none if it had ended meanwhile. */
  readonly tokens: number;
}

/** What came of a micro-batch that held next tokens and drafts, and nothing else. */
export interface DecodedRound extends RingLoad {
  readonly requests: readonly DecodedRequest[];
  /** Seconds, on the threads of all stages together, and of hops. */
  readonly compute: number;
  readonly overhead: number;
}

/** What the draft model could do for a request. */
interface ModelChance {
  readonly job: GenerationJob;
  /** As `DraftChance.survival`. */
  readonly survival: readonly number[];
  /** Seconds that it takes to learn what it does not know of the request yet. */
  readonly reading: number;
  readonly room: number;
}

/** Rounds with drafts after which one without is measured again, for drafts are judged by it. */
const PLAIN_EVERY = 64;
/** Tokens of a draft that is made only to see how the model does. */
const TRIAL_LENGTH = 3;
/** Rounds over which the draft model's reading of a prompt may pay off, if the answer may go on for so many. */
const ROUNDS_TO_PAY_OFF = 32;
const WEIGHT_OF_NEW = 0.15;

/**
 * Decides what to draft. Whether drafts pay is known from what passes of so many rows were measured to cost and from how
 * guesses did lately; what they cost all the same is bounded by a budget.
 */
export class Speculator {
  readonly #options: SpeculatorOptions;
  readonly #requests = new WeakMap<GenerationJob, RequestDrafts>();
  readonly #ngramRates = new HitRates(NGRAM_PRIORS);
  readonly #modelRates = new HitRates(MODEL_PRIORS);
  readonly #times = new PassTimes();
  readonly #budget = new LossBudget(LOSSES_OF_RING);
  #overhead = 0;
  #roundsSincePlain = 0;

  constructor(options: SpeculatorOptions) {
    this.#options = options;
  }

  /** Calls back when requests that were being drafted for can go on. */
  onReady(listener: () => void): void {
    this.#options.model?.onSettled(listener);
  }

  /** A request got a token and goes on. */
  accepted(job: GenerationJob, token: number): void {
    if (job.speculation) this.#draftsOf(job).add(token);
  }

  /** The draft model is at work for it: its next token waits. */
  isDrafting(job: GenerationJob): boolean {
    return this.#requests.get(job)?.drafting ?? false;
  }

  ended(job: GenerationJob, sequence: number): void {
    if (this.isDrafting(job)) this.#options.model?.cancel(sequence);
  }

  /** Sets the draft model to work if that is likely to pay. `tokens` gives all of the request's so far. */
  prepare(candidate: DraftCandidate, load: RingLoad, tokens: () => readonly number[]): void {
    const { model, perRequest } = this.#options;
    const { job, sequence } = candidate;
    if (model === null || !job.speculation || this.#budget.balance < 0) return;
    const drafts = this.#draftsOf(job);
    const most = Math.min(perRequest, candidate.room);
    const survival = drafts.expectedOfModel(most);
    const [sure = 0] = drafts.ngramGuess(1).survival;
    if (most < 1 || drafts.drafting || sure >= (survival[0] ?? 0)) return;
    const history = tokens();
    const reading = Math.max(0, model.behind(sequence, history) - 1) * model.secondsPerRow;
    const length = this.#modelLength({ job, survival, reading, room: candidate.room }, load, model);
    if (length === 0) return;
    drafts.drafting = true;
    model.draft(sequence, history, length, (draft, seconds) => {
      drafts.drafting = false;
      drafts.modelDraft = draft;
      drafts.draftSeconds += seconds;
    });
  }

  /** The tokens to draft for each request of a group, in their order; none before it is known how long it takes without. */
  draft(group: readonly DraftCandidate[], load: RingLoad, rowsLeft: number): readonly (readonly number[])[] {
    const { perRequest, perMicroBatch } = this.#options;
    const guesses = group.map((candidate) => this.#guess(candidate));
    const plain = computePasses(group.map(({ sequence }) => ({ sequence, rows: 1 })));
    const known = this.#roundsSincePlain < PLAIN_EVERY && plain.every((rows) => this.#times.knows(rows));
    const round = this.#roundOf(load);
    const plainRound = round(plain) ?? 0;
    const risk = known ? this.#budget.risk(plainRound) : 0;
    if (risk <= 0) return guesses.map(() => []);
    const chances = group.map(({ job, sequence }, index) => ({
      sequence,
      survival: guesses[index]?.survival ?? [],
      mayLose: this.#mayLose(job, plainRound),
    }));
    const inAll = Math.min(perMicroBatch, rowsLeft - group.length);
    const lengths = chooseDraftLengths(chances, round, { perRequest, inAll, risk });
    return guesses.map(({ tokens }, index) => tokens.slice(0, lengths[index]));
  }

  /** What a micro-batch of one prompt's rows took. */
  recordPrompt(rows: number, compute: number): void {
    this.#times.record(rows, compute);
  }

  record(round: DecodedRound): void {
    const { requests, compute } = round;
    const passes = computePasses(rowsOf(requests, (drafted) => 1 + drafted));
    const [only, ...more] = passes;
    if (only !== undefined && more.length === 0) this.#times.record(only, compute);
    this.#overhead = fadingAverage(this.#overhead, round.overhead, WEIGHT_OF_NEW);
    const drafted = requests.some((request) => request.drafted > 0);
    this.#roundsSincePlain = drafted ? this.#roundsSincePlain + 1 : 0;
    this.#book(round, drafted);
  }

  #book(round: DecodedRound, drafted: boolean): void {
    const { requests, compute } = round;
    // Whoever left is no proof against the drafts: of them it is not known what they would have got.
    const stayed = requests.filter(({ tokens }) => tokens > 0);
    if (stayed.length === 0) return;
    const tokens = stayed.reduce((sum, request) => sum + request.tokens, 0);
    const taken = this.#seconds(compute, round) + this.#draftSeconds(requests.map(({ job }) => job));
    const plainRound = this.#roundOf(round)(computePasses(rowsOf(requests, () => 1))) ?? 0;
    const plain = drafted ? (tokens / stayed.length) * plainRound : this.#seconds(compute, round);
    this.#budget.book(taken, plain, plainRound);
    for (const { job, tokens } of stayed) {
      this.#requests.get(job)?.budget.book(taken, drafted ? tokens * plainRound : plain, plainRound);
    }
  }

  /** Seconds that this request may lose at once. */
  #mayLose(job: GenerationJob, plainRound: number): number {
    return job.speculation ? this.#draftsOf(job).budget.risk(plainRound) : 0;
  }

  /** The wait for the draft model before this round, which several requests may have shared. */
  #draftSeconds(jobs: readonly GenerationJob[]): number {
    let longest = 0;
    for (const job of jobs) {
      const drafts = this.#requests.get(job);
      if (drafts === undefined) continue;
      longest = Math.max(longest, drafts.draftSeconds);
      drafts.draftSeconds = 0;
    }
    return longest;
  }

  #draftsOf(job: GenerationJob): RequestDrafts {
    const known = this.#requests.get(job);
    if (known !== undefined) return known;
    const prompt = this.#options.ngrams ? job.promptTokens : null;
    const drafts = new RequestDrafts(prompt, this.#ngramRates, this.#modelRates);
    this.#requests.set(job, drafts);
    return drafts;
  }

  #guess({ job, room }: DraftCandidate): Guess {
    if (!job.speculation) return { tokens: [], survival: [] };
    return this.#draftsOf(job).guess(Math.min(room, this.#options.perRequest));
  }

  /** How many tokens the model should draft: as many as pay, else a few now and then that the budget can bear. */
  #modelLength({ job, survival, reading, room }: ModelChance, load: RingLoad, model: Drafter): number {
    const inGroup = Math.ceil(load.running / load.groups);
    const round = this.#roundOf(load);
    const plainRound = round([inGroup]) ?? 0;
    const mayLose = this.#mayLose(job, plainRound);
    const chances = Array.from({ length: inGroup }, (_, sequence) => ({ sequence, survival, mayLose }));
    const risk = this.#budget.risk(plainRound);
    const limits = { perRequest: survival.length, inAll: this.#options.perMicroBatch, risk };
    const cost = (length: number): number => {
      const tokens = survival.slice(0, length).reduce((sum, chance) => sum + chance, 1);
      const rounds = Math.max(1, Math.min(ROUNDS_TO_PAY_OFF, room / tokens));
      return length * model.secondsPerToken + reading / rounds;
    };
    const [length = 0] = chooseDraftLengths(chances, round, limits, cost);
    if (length > 0) return length;
    const trial = Math.min(TRIAL_LENGTH, survival.length);
    const [plain, tried] = [round([inGroup]), round([inGroup * (1 + trial)])];
    if (plain === null || tried === null || inGroup * trial > limits.inAll) return 0;
    const loss = tried - plain + trial * model.secondsPerToken + reading;
    return loss <= this.#budget.balance ? trial : 0;
  }

  #roundOf(load: RingLoad): RoundSeconds {
    return (passes) => {
      let compute = 0;
      for (const rows of passes) {
        const seconds = this.#times.expected(rows);
        if (seconds === null) return null;
        compute += seconds;
      }
      return this.#seconds(compute, load);
    };
  }

  /** A group's way round, or the stages' work for all groups if that is more. */
  #seconds(compute: number, { groups }: RingLoad): number {
    return Math.max(compute + this.#overhead, (groups * compute) / this.#options.stageCount);
  }
}

function rowsOf(requests: DecodedRound["requests"], rows: (drafted: number) => number): SequenceRows[] {
  return requests.map(({ sequence, drafted }) => ({ sequence, rows: rows(drafted) }));
}
