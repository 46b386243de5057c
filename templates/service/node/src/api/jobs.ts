/** `/v1/jobs`: work that takes longer than a request may. */
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError } from "../errors.js";
import type { Request } from "../http/request.js";
import type { Handler } from "../http/router.js";
import { type Job, shownJob } from "../jobs.js";
import type { Decoded, Outputs } from "../schema/schema.js";
import { type Served, type Service, timedOut } from "../service.js";

export const start: Handler = async (service, request) => {
  if (service.state === "draining") throw service.notReady();
  const served = service.api(request.path.split("/", 2)[1]);
  if (served.schema.streams)
    throw new ApiError(400, "bad_request", "a model that streams has no jobs: ask /predict");
  const decoded = served.schema.decode(await request.json());
  request.rows = decoded.rows;
  const job = service.jobs.start(request.key?.name, (one) => work(service, served, decoded, request, one));
  return { status: 202, body: shownJob(job), headers: [["location", `/${served.api}/jobs/${job.id}`]] };
};

export const show: Handler = (service, request) => ({
  status: 200,
  body: shownJob(service.jobs.find(request.params.id ?? "", request.key)),
});

export const end: Handler = (service, request) => {
  const job = service.jobs.find(request.params.id ?? "", request.key);
  service.jobs.end(job);
  return { status: 200, body: shownJob(job) };
};

async function work(
  service: Service,
  served: Served,
  decoded: Decoded,
  request: Request,
  job: Job,
): Promise<void> {
  const limit = service.settings.jobTimeoutS;
  const late = setTimeout(() => job.abort.abort(timedOut(limit)), limit * 1000);
  try {
    const outputs = await outputsOf(service, served, decoded, request, job.abort.signal);
    const result = service.encoded(() => served.schema.encode(outputs, decoded.many), request.id);
    service.jobs.finish(job, { status: "succeeded", result });
  } catch (error) {
    if (job.status !== "queued") return; // It was cancelled.
    const { code, message } =
      error instanceof ApiError
        ? error
        : new ApiError(500, "internal_error", "the service failed on this job");
    service.jobs.finish(job, { status: "failed", error: { code, message } });
  } finally {
    clearTimeout(late);
  }
}

/** Batch by batch, so that requests have their turns in between; where there is no room for one, later. */
async function outputsOf(
  service: Service,
  served: Served,
  decoded: Decoded,
  request: Request,
  signal: AbortSignal,
): Promise<Outputs> {
  const { batchMaxRows: most, jobTimeoutS: patienceS } = service.settings;
  const parts: Outputs[] = [];
  for (let firstRow = 0; firstRow < decoded.rows; ) {
    const stop = Math.min(decoded.rows, firstRow + most);
    const inputs = served.schema.slice(decoded.inputs, firstRow, stop);
    const part = { inputs, rows: stop - firstRow, many: decoded.many };
    try {
      parts.push(await service.predict(served, part, request, { patienceS, signal, firstRow }));
      firstRow = stop;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "overloaded") throw error;
      const pauseS = Number(new Map(error.headers).get("retry-after") ?? 1);
      await sleep(pauseS * 1000, undefined, { signal });
    }
  }
  return parts.length === 1 ? (parts[0] as Outputs) : served.schema.merge(parts);
}
