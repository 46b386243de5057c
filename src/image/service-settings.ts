import type { ProjectConfig } from "../project/schema.js";

/** What modelship.yaml sets of the service, as the service reads it; `files` is where it finds the model files. */
export function serviceSettings(config: ProjectConfig, files: string): Record<string, string> {
  const { service } = config;
  const { rate_limit, limits, jobs } = service;
  return {
    MODELSHIP_NAME: config.name,
    MODELSHIP_VERSION: config.version,
    MODELSHIP_ENTRY: config.model.entry,
    MODELSHIP_FILES: files,
    MODELSHIP_PORT: String(service.port),
    MODELSHIP_TIMEOUT_S: String(service.timeout_s),
    MODELSHIP_QUEUE_MAX_ROWS: String(service.queue.max_rows),
    MODELSHIP_BATCH_MAX_ROWS: String(service.batching.max_rows),
    MODELSHIP_BATCH_MAX_DELAY_MS: String(service.batching.max_delay_ms),
    MODELSHIP_WORKERS: String(service.workers),
    MODELSHIP_MAX_BODY_BYTES: String(limits.body_bytes),
    MODELSHIP_MAX_DECODED_BYTES: String(limits.decoded_bytes),
    MODELSHIP_MAX_ROWS: String(limits.rows),
    MODELSHIP_MAX_JSON_DEPTH: String(limits.json_depth),
    MODELSHIP_MAX_CONNECTIONS: String(limits.connections),
    MODELSHIP_MAX_STREAMS: String(limits.streams),
    MODELSHIP_JOBS_MAX: String(jobs.max),
    MODELSHIP_JOBS_TTL_S: String(jobs.keep_s),
    MODELSHIP_JOB_TIMEOUT_S: String(jobs.timeout_s),
    MODELSHIP_WARM_UP: service.warm_up ? "1" : "0",
    MODELSHIP_PLAYGROUND: service.playground ? "1" : "0",
    ...(config.accelerator === "cuda" && { MODELSHIP_ACCELERATOR: "cuda" }),
    ...(service.auth.keys_env && { MODELSHIP_KEYS_ENV: service.auth.keys_env }),
    ...(rate_limit.requests && { MODELSHIP_RATE_LIMIT: `${rate_limit.requests}/${rate_limit.per}` }),
    ...(service.max_concurrency && { MODELSHIP_MAX_CONCURRENCY: String(service.max_concurrency) }),
    ...(service.cors.origins.length > 0 && { MODELSHIP_CORS_ORIGINS: service.cors.origins.join(",") }),
  };
}
