import { formatByteSize } from "../../config/byte-size.js";
import type { LinkDocument, RingDocument } from "../node-client/cluster-document.js";

/** How fast a ring is, as short facts: lately, per hop, and beside what was predicted. */
export function speedFacts({ rates, hops, prediction }: RingDocument): readonly string[] {
  const decode = rates?.decode_tokens_per_second ?? 0;
  const prompt = rates?.prompt_tokens_per_second ?? 0;
  const { predicted, measured } = prediction ?? {};
  return [
    ...(decode > 0 ? [`${rateText(decode)} tok/s`] : []),
    ...(prompt > 0 ? [`prompts ${rateText(prompt)} tok/s`] : []),
    ...(hops ? [`hop ${millisecondsText(hops.p50_ms)}, p99 ${millisecondsText(hops.p99_ms)}`] : []),
    ...compared("tok/s", predicted?.decode_tokens_per_second, measured?.decode_tokens_per_second, rateText),
    ...compared("s to the first token", predicted?.ttft_seconds, measured?.ttft_seconds, (value) => value.toFixed(2)),
  ];
}

/** `predicted 12.5 tok/s, measured 11.9 (5 % off)`. */
function compared(
  unit: string,
  predicted: number | null | undefined,
  measured: number | null | undefined,
  format: (value: number) => string,
): readonly string[] {
  if (predicted == null) return [];
  const told = `predicted ${format(predicted)} ${unit}`;
  if (measured == null || measured <= 0) return [told];
  const off = Math.round(Math.abs(predicted / measured - 1) * 100);
  return [`${told}, measured ${format(measured)} (${off} % off)`];
}

/** `0.21 ms, 941.0 MiB/s`: what a small message takes one way, and how fast many bytes go. */
export function linkText({ one_way_ms, bytes_per_second }: LinkDocument): string {
  return `${millisecondsText(one_way_ms)}, ${formatByteSize(bytes_per_second)}/s`;
}

function rateText(perSecond: number): string {
  return perSecond < 100 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

function millisecondsText(milliseconds: number): string {
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : milliseconds.toFixed(1)} ms`;
}
