import type { ProjectConfig } from "../project/schema.js";

/** What modelship.yaml sets of the service, as the service reads it; `files` is where it finds the model files. */
export function serviceSettings(config: ProjectConfig, files: string): Record<string, string> {
  return {
    MODELSHIP_NAME: config.name,
    MODELSHIP_VERSION: config.version,
    MODELSHIP_ENTRY: config.model.entry,
    MODELSHIP_FILES: files,
    MODELSHIP_PORT: String(config.service.port),
    MODELSHIP_TIMEOUT_S: String(config.service.timeout_s),
    MODELSHIP_QUEUE_MAX_ROWS: String(config.service.queue.max_rows),
  };
}
