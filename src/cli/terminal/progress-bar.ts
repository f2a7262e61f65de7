import { formatByteSize } from "../../config/byte-size.js";
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

/** One line: label, bar, per cent, bytes, rate and time left, in fewer than `width` columns. */
export function drawBar(state: BarState, width: number, paint: Paint): string {
  const numbers = state.note ?? barNumbers(state);
  const room = width - 1 - state.label.length - numbers.length - 6;
  const length = Math.max(SHORTEST_BAR, Math.min(LONGEST_BAR, room));
  const full = Math.round(length * clamp(state.fraction ?? 0));
  const bar = paint("cyan", "█".repeat(full)) + paint("dim", "░".repeat(length - full));
  const label = state.label.slice(0, Math.max(0, width - 1 - numbers.length - length - 6));
  return `  ${label}  ${bar}  ${numbers}`;
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
