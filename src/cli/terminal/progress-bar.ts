import { formatByteSize } from "../../config/byte-size.js";
import { clipped, shortened } from "./columns.js";
import type { Paint } from "./paint.js";

/** What one bar shows. */
export interface BarState {
  readonly label: string;
  /** 0…1, or `null` when nobody knows. */
  readonly fraction: number | null;
  /** Bytes, when bytes are what is counted. */
  readonly bytes?: { readonly done: number; readonly total: number | null };
  /** Bytes, or parts of the whole, per second. */
  readonly perSecond: number | null;
  /** Stands in place of the numbers, e.g. `loaded`. */
  readonly note?: string;
}

const SHORTEST_BAR = 8;
const LONGEST_BAR = 30;

/** Of the label so much stays, before numbers are left out. */
const LEAST_LABEL = 12;

/** Spaces before and between the three parts. */
const GAPS = 6;

/**
 * One line: label, bar, per cent, bytes, rate and time left, in fewer than `width` columns. Where that is too much, first the
 * bytes go, then the rate, the bar and the end of the label.
 */
export function drawBar(state: BarState, width: number, paint: Paint): string {
  const choices = state.note === undefined ? barTexts(state) : [state.note];
  const label = [...state.label];
  const needed = Math.min(label.length, LEAST_LABEL) + GAPS + SHORTEST_BAR;
  const numbers = choices.find((text) => needed + text.length < width) ?? choices.at(-1) ?? "";
  const room = width - 1 - label.length - numbers.length - GAPS;
  const length = Math.max(SHORTEST_BAR, Math.min(LONGEST_BAR, room));
  const left = width - 1 - numbers.length - length - GAPS;
  if (left < Math.min(label.length, LEAST_LABEL)) return withoutBar(state.label, numbers.trim(), width);
  const full = Math.round(length * clamp(state.fraction ?? 0));
  const bar = paint("cyan", "█".repeat(full)) + paint("dim", "░".repeat(length - full));
  return `  ${label.slice(0, left).join("")}  ${bar}  ${numbers}`;
}

function withoutBar(label: string, numbers: string, width: number): string {
  const room = Math.max(0, width - 1 - 4 - numbers.length);
  return clipped(`  ${shortened(label.trimEnd(), room)}  ${numbers}`, width - 1);
}

/** What can be told, from most to least. */
function barTexts(state: BarState): readonly string[] {
  const { bytes: _, ...short } = state;
  const left = secondsLeft(state);
  const time = left === null ? "" : `  ${clockText(left)} left`;
  return [
    barNumbers(state),
    `${barNumbers({ ...short, perSecond: null })}${time}`,
    barNumbers({ ...short, perSecond: null }),
  ];
}

/** `45 %  286.7 of 637.0 MiB  12.3 MiB/s  0:31 left`, as far as known. */
export function barNumbers(state: BarState): string {
  const parts: string[] = [];
  if (state.fraction !== null) parts.push(`${String(Math.floor(clamp(state.fraction) * 100)).padStart(3)} %`);
  if (state.bytes !== undefined) parts.push(amount(state.bytes.done, state.bytes.total));
  if (state.bytes !== undefined && state.perSecond !== null) parts.push(`${formatByteSize(state.perSecond)}/s`);
  const left = secondsLeft(state);
  if (left !== null) parts.push(`${clockText(left)} left`);
  return parts.join("  ");
}

function amount(done: number, total: number | null): string {
  return total === null ? formatByteSize(done) : `${formatByteSize(done)} of ${formatByteSize(total)}`;
}

function secondsLeft({ fraction, bytes, perSecond }: BarState): number | null {
  if (perSecond === null || perSecond <= 0 || fraction === 1) return null;
  if (bytes !== undefined) return bytes.total === null ? null : Math.max(0, bytes.total - bytes.done) / perSecond;
  return fraction === null ? null : (1 - clamp(fraction)) / perSecond;
}

/** `0:07`, `12:30`, `1:02:03`. */
export function clockText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function clamp(fraction: number): number {
  return Math.min(1, Math.max(0, fraction));
}
