/** What is counted of the service, and how Prometheus reads it. Labels are route templates and fixed words. */

const secondBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const rowBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export class Histogram {
  readonly bounds: readonly number[];
  /** How many fell into each bucket, and beyond the last. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const found = this.bounds.findIndex((bound) => value <= bound);
    const bucket = found < 0 ? this.bounds.length : found;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
  }

  get count(): number {
    return this.counts.reduce((sum, one) => sum + one, 0);
  }
}

export class Metrics {
  inFlight = 0;
  loadSeconds = 0;
  workerDeaths = 0;
  readonly batchRows = new Histogram(rowBounds);
  readonly modelSeconds = new Histogram(secondBounds);
  readonly queueSeconds = new Histogram(secondBounds);
  readonly #name: string;
  readonly #version: string;
  readonly #requests = new Map<string, { labels: Labels; count: number }>();
  readonly #latency = new Map<string, Histogram>();
  readonly #rejections = new Map<string, number>();

  constructor(name: string, version: string) {
    this.#name = name;
    this.#version = version;
  }

  request(method: string, route: string | undefined, status: number, seconds: number): void {
    const labels = {
      method: methods.has(method) ? method : "other",
      route: route ?? "none",
      status: `${status}`,
    };
    const key = Object.values(labels).join(" ");
    const found = this.#requests.get(key);
    if (found) found.count += 1;
    else this.#requests.set(key, { labels, count: 1 });
    let latency = this.#latency.get(labels.route);
    if (!latency) {
      latency = new Histogram(secondBounds);
      this.#latency.set(labels.route, latency);
    }
    latency.observe(seconds);
  }

  rejected(reason: string): void {
    this.#rejections.set(reason, (this.#rejections.get(reason) ?? 0) + 1);
  }

  batch(rows: number, seconds: number, waitedS: number): void {
    this.batchRows.observe(rows);
    this.modelSeconds.observe(seconds);
    this.queueSeconds.observe(waitedS);
  }

  text(queueRows: number): string {
    const page = new Page();
    page.family("modelship_requests", "counter", "Requests answered.");
    for (const { labels, count } of this.#requests.values())
      page.sample("modelship_requests_total", count, labels);
    page.family("modelship_request_seconds", "histogram", "From the head of a request to its answer.");
    for (const [route, histogram] of this.#latency)
      page.histogram("modelship_request_seconds", histogram, { route });
    page.family("modelship_rejected", "counter", "Requests turned away.");
    for (const [reason, count] of this.#rejections)
      page.sample("modelship_rejected_total", count, { reason });
    for (const [name, words, histogram] of [
      ["modelship_batch_rows", "Rows in a batch.", this.batchRows],
      ["modelship_model_seconds", "One call of the model.", this.modelSeconds],
      ["modelship_queue_seconds", "What the oldest row of a batch waited.", this.queueSeconds],
    ] as const) {
      page.family(name, "histogram", words);
      page.histogram(name, histogram);
    }
    page.family("modelship_worker_deaths", "counter", "Workers that died.");
    page.sample("modelship_worker_deaths_total", this.workerDeaths);
    for (const [name, words, value] of [
      ["modelship_load_seconds", "Until the model was ready.", this.loadSeconds],
      ["modelship_queue_rows", "Rows waiting or in work.", queueRows],
      ["modelship_in_flight", "Requests being answered.", this.inFlight],
      ["modelship_memory_bytes", "Memory of the service's process.", process.memoryUsage.rss()],
    ] as const) {
      page.family(name, "gauge", words);
      page.sample(name, value);
    }
    page.family("modelship_info", "gauge", "What is served.");
    page.sample("modelship_info", 1, { name: this.#name, version: this.#version });
    return page.text;
  }
}

export const metricsType = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;

class Page {
  text = "";

  family(name: string, type: string, help: string): void {
    const shown = type === "counter" ? `${name}_total` : name;
    this.text += `# HELP ${shown} ${help}\n# TYPE ${shown} ${type}\n`;
  }

  sample(name: string, value: number, labels: Labels = {}): void {
    const shown = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    this.text += `${name}${shown.length > 0 ? `{${shown.join(",")}}` : ""} ${value}\n`;
  }

  histogram(name: string, histogram: Histogram, labels: Labels = {}): void {
    let below = 0;
    histogram.counts.forEach((count, index) => {
      below += count;
      const bound = histogram.bounds[index];
      const le = bound === undefined ? "+Inf" : Number.isInteger(bound) ? `${bound}.0` : `${bound}`;
      this.sample(`${name}_bucket`, below, { ...labels, le });
    });
    this.sample(`${name}_count`, below, labels);
    this.sample(`${name}_sum`, histogram.sum, labels);
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
