import type { LinkRecord } from "../../cluster/link-record.js";
import { ascending, quantile } from "../../core/statistics.js";
import type { EchoStream } from "../../transport/echo-client.js";

/** Until both ends have run the code of a message, and the connection is open. */
const WARM_UPS = 8;
const SMALL_BYTES = 64;
/** Of each round; and large messages that follow each other without waiting. */
const SMALL_MESSAGES = 8;
const BURST = 4;
/** What is in the way of one round may be gone in the next. */
const ROUNDS = 4;
/** The first message that is not small: it opens the connection's window, and tells how large others may be. */
const FIRST_BYTES = 16 * 1024;
const LEAST_LARGE_BYTES = 64 * 1024;
const MOST_LARGE_BYTES = 256 * 1024;
/** Rows of a large message: a chunk of a prompt. */
const LARGE_ROWS = 32;
/** Seconds that a large message may take beyond a small one. */
const LARGE_SECONDS = 0.25;
/** No further round, and no further small message, is begun after so many seconds of measuring. */
const LONGEST_SECONDS = 2;
/** No message of this size takes less time. */
const LEAST_SECONDS = 1e-6;
/** A round that takes so much longer than another one, in all and as a multiple, was disturbed. */
const UNSTEADY = 1.5;
const UNSTEADY_SECONDS = 0.002;

type Stream = Pick<EchoStream, "exchange">;

export interface MeasuredLink extends Omit<LinkRecord, "to"> {
  /** Other work was in the way, of this node, of the other one or on the link. */
  readonly disturbed: boolean;
}

interface Round {
  /** There and back: the median of small messages, one large message alone, and the last one of several. */
  readonly small: number;
  readonly large: number;
  readonly burst: number;
}

/**
 * Times messages as small as an answer and as large as activations; the receiver answers each with a few bytes. Of large
 * ones several are under way at once, as the chunks of a prompt are: the last of them is there later than one alone by the
 * time in which the link takes the others, whatever its delay. Of several rounds the quickest counts, for what disturbs
 * only ever adds time.
 *
 * @param rowBytes of one row of activations
 */
export async function measureLink(stream: Stream, rowBytes: number): Promise<MeasuredLink> {
  const warm = Math.min(...(await exchanges(stream, SMALL_BYTES, WARM_UPS)));
  const large = largeBytes(rowBytes, (await stream.exchange(FIRST_BYTES)) - warm);
  const rounds: Round[] = [];
  for (let total = 0; rounds.length < ROUNDS && (rounds.length === 0 || total < LONGEST_SECONDS); ) {
    const round = await oneRound(stream, large);
    rounds.push(round);
    total += SMALL_MESSAGES * round.small + round.large + round.burst;
  }
  const least = (key: keyof Round): number => Math.min(...rounds.map((round) => round[key]));
  const small = least("small");
  return {
    seconds: small / 2,
    bytesPerSecond: large / secondsOfOne({ small, large: least("large"), burst: least("burst") }),
    disturbed: isUnsteady(rounds.map(({ small }) => small)) || isUnsteady(rounds.map(({ burst }) => burst)),
  };
}

/**
 * That a large message keeps the link for. On a link that hardly takes any time the difference of two times may be chance;
 * but ends and link cannot do more than half of their work at the same time for messages that follow each other.
 */
function secondsOfOne({ small, large, burst }: Round): number {
  const most = (burst - small) / BURST;
  return Math.max((burst - large) / (BURST - 1), most / 2, LEAST_SECONDS);
}

/** As large as a chunk's rows, or smaller where the link is slow. @param seconds that the first message took for its bytes */
function largeBytes(rowBytes: number, seconds: number): number {
  const wanted = Math.min(MOST_LARGE_BYTES, Math.max(LEAST_LARGE_BYTES, LARGE_ROWS * rowBytes));
  const affordable = seconds <= 0 ? wanted : (FIRST_BYTES * LARGE_SECONDS) / seconds;
  return Math.round(Math.max(FIRST_BYTES, Math.min(wanted, affordable)));
}

async function oneRound(stream: Stream, bytes: number): Promise<Round> {
  const small = quantile(ascending(await exchanges(stream, SMALL_BYTES, SMALL_MESSAGES)), 0.5);
  const large = await stream.exchange(bytes);
  // All are sent at once, so the last one's time is that of all.
  const burst = Math.max(...(await Promise.all(Array.from({ length: BURST }, () => stream.exchange(bytes)))));
  return { small, large, burst };
}

/** One after the other; at least two. */
async function exchanges(stream: Stream, bytes: number, count: number): Promise<readonly number[]> {
  const seconds: number[] = [];
  let total = 0;
  while (seconds.length < count && (seconds.length < 2 || total < LONGEST_SECONDS)) {
    const one = await stream.exchange(bytes);
    seconds.push(one);
    total += one;
  }
  return seconds;
}

function isUnsteady(rounds: readonly number[]): boolean {
  const [least, most] = [Math.min(...rounds), Math.max(...rounds)];
  return most > least * UNSTEADY && most - least > UNSTEADY_SECONDS;
}
