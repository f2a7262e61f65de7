import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { DistributionReading, MetricInfo, Metrics, Reading } from "../core/ports.js";

/** How a registered metric is documented. */
export interface DescribedMetric extends MetricInfo {
  readonly type: "counter" | "gauge" | "histogram";
}

let ofProcess: Registry | null = null;

/**
 * Metrics of the process, which several nodes in it share. To know how late its event loop is takes a timer, so all this
 * begins when somebody asks for the first time.
 */
function processMetrics(): Registry {
  if (ofProcess === null) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}

/** Metrics for Prometheus. Everything is read when it is asked for. */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #described: DescribedMetric[] = [];

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Of this node, without those of the process. */
  described(): readonly DescribedMetric[] {
    return this.#described;
  }

  /** The node's metrics, then those of its process. */
  async text(): Promise<string> {
    return `${await this.#registry.metrics()}\n${await processMetrics().metrics()}`;
  }

  counter(info: MetricInfo, read: () => Iterable<Reading>): void {
    this.#described.push({ ...info, type: "counter" });
    new Counter({
      ...this.#base(info),
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.inc(labelled(info, labels), value);
      },
    });
  }

  gauge(info: MetricInfo, read: () => Iterable<Reading>): void {
    this.#described.push({ ...info, type: "gauge" });
    new Gauge({
      ...this.#base(info),
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.inc(labelled(info, labels), value);
      },
    });
  }

  histogram(info: MetricInfo, read: () => Iterable<DistributionReading>): void {
    this.#described.push({ ...info, type: "histogram" });
    this.#registry.registerMetric(new ReadHistogram(info, read));
  }

  #base({ name, help, labels }: MetricInfo) {
    return { name, help, labelNames: [...labels], registers: [this.#registry] };
  }
}

type HistogramContent = Awaited<ReturnType<Histogram["get"]>>;

/** A histogram whose counts are kept elsewhere. */
class ReadHistogram extends Histogram {
  readonly #info: MetricInfo;
  /** For the fields beside the values. */
  readonly #empty: Histogram;
  readonly #read: () => Iterable<DistributionReading>;

  constructor(info: MetricInfo, read: () => Iterable<DistributionReading>) {
    const config = { name: info.name, help: info.help, labelNames: [...info.labels], registers: [] };
    super(config);
    this.#empty = new Histogram(config);
    this.#info = info;
    this.#read = read;
  }

  override async get(): Promise<HistogramContent> {
    const empty = await this.#empty.get();
    return { ...empty, values: [...this.#read()].flatMap((reading) => valuesOf(this.#info, reading)) };
  }

  /** What the registry calls where a metric has it; here it is the same. */
  getForPromString(): Promise<HistogramContent> {
    return this.get();
  }
}

function valuesOf({ name, labels }: MetricInfo, { labels: values, distribution }: DistributionReading) {
  const common = labelled({ labels }, values);
  const { bounds, count, sum } = distribution;
  const classes = distribution.cumulative().map((value, index) => ({
    metricName: `${name}_bucket`,
    labels: { le: String(bounds[index]), ...common },
    value,
  }));
  return [
    ...classes,
    { metricName: `${name}_bucket`, labels: { le: "+Inf", ...common }, value: count },
    { metricName: `${name}_sum`, labels: common, value: sum },
    { metricName: `${name}_count`, labels: common, value: count },
  ];
}

function labelled({ labels }: Pick<MetricInfo, "labels">, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(labels.map((label, index) => [label, values[index] ?? ""]));
}
