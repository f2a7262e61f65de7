import type { RingRecord } from "../cluster/node-record.js";
import type { Distribution } from "../core/distribution.js";
import type { DistributionReading, Metrics, Reading } from "../core/ports.js";
import type { ModelMeter } from "../runtime/meters.js";
import type { NodeMetricSources } from "./node-metrics.js";

const MODEL = ["model"];

/** What this node does as the head of rings. The nodes of a cluster add up: a request has one head. */
export function registerAnswerMetrics(metrics: Metrics, { meters, rings }: NodeMetricSources): void {
  const perModel = (measure: (meter: ModelMeter) => number) => () =>
    [...meters.models()].map(([model, meter]): Reading => ({ labels: [model], value: measure(meter) }));
  const distribution = (measure: (meter: ModelMeter) => Distribution) => () =>
    [...meters.models()].map(
      ([model, meter]): DistributionReading => ({ labels: [model], distribution: measure(meter) }),
    );
  const perRing = (measure: (ring: RingRecord) => number) => () =>
    rings()
      .map((ring) => ring.record())
      .filter(({ state }) => state === "ready")
      .map((ring): Reading => ({ labels: [ring.model], value: measure(ring) }));

  metrics.counter(
    {
      name: "exo_native_answers_total",
      help: "Answers that ended at this head: stop, length, tool_calls, or an error's code",
      labels: ["model", "outcome"],
    },
    () =>
      [...meters.models()].flatMap(([model, { outcomes }]) =>
        [...outcomes].map(({ labels, value }) => ({ labels: [model, ...labels], value })),
      ),
  );
  registerTokens(metrics, perModel);
  metrics.histogram(
    {
      name: "exo_native_time_to_first_token_seconds",
      help: "From a request's arrival at this head to its first token",
      labels: MODEL,
    },
    distribution((meter) => meter.firstToken),
  );
  metrics.histogram(
    {
      name: "exo_native_inter_token_seconds",
      help: "From one token of an answer to the next; about 0 where a draft was right",
      labels: MODEL,
    },
    distribution((meter) => meter.betweenTokens),
  );
  metrics.histogram(
    {
      name: "exo_native_time_per_output_token_seconds",
      help: "Mean time from one token to the next, one value for each answer",
      labels: MODEL,
    },
    distribution((meter) => meter.perToken),
  );
  metrics.histogram(
    { name: "exo_native_queue_wait_seconds", help: "Wait of a request for a slot", labels: MODEL },
    distribution((meter) => meter.queue),
  );
  metrics.gauge(
    { name: "exo_native_queue_length", help: "Requests that wait for a slot", labels: MODEL },
    perRing((ring) => ring.waitingRequests),
  );
  metrics.gauge(
    { name: "exo_native_slots", help: "Requests that the ring answers at once", labels: MODEL },
    perRing((ring) => ring.slots),
  );
  metrics.gauge(
    { name: "exo_native_busy_slots", help: "Slots with a request", labels: MODEL },
    perRing((ring) => ring.busySlots),
  );
  metrics.gauge(
    { name: "exo_native_micro_batches_in_flight", help: "Micro-batches on their way round the ring", labels: MODEL },
    perRing((ring) => ring.microBatchesUnderWay),
  );
}

type PerModel = (measure: (meter: ModelMeter) => number) => () => readonly Reading[];

function registerTokens(metrics: Metrics, perModel: PerModel): void {
  metrics.counter(
    { name: "exo_native_prompt_tokens_total", help: "Tokens of prompts, those found in a KV cache too", labels: MODEL },
    perModel((meter) => meter.promptTokens),
  );
  metrics.counter(
    {
      name: "exo_native_cached_prompt_tokens_total",
      help: "Tokens of prompts that were found in a KV cache",
      labels: MODEL,
    },
    perModel((meter) => meter.cachedTokens),
  );
  metrics.counter(
    { name: "exo_native_generated_tokens_total", help: "Tokens of answers", labels: MODEL },
    perModel((meter) => meter.generatedTokens),
  );
  metrics.counter(
    {
      name: "exo_native_accepted_draft_tokens_total",
      help: "Drafted tokens that became part of an answer",
      labels: MODEL,
    },
    perModel((meter) => meter.acceptedDraftTokens),
  );
  metrics.counter(
    {
      name: "exo_native_rejected_draft_tokens_total",
      help: "Drafted tokens that were computed for nothing",
      labels: MODEL,
    },
    perModel((meter) => meter.rejectedDraftTokens),
  );
}
