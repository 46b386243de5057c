import { read } from "./config.js";
import type { Project } from "./load.js";
import { settings } from "./schema.js";

/** One line of `modelship config`. */
export interface DescribedSetting {
  /** Dotted path, as in modelship.yaml. */
  key: string;
  value: unknown;
  /** `default`, `modelship.yaml`, or the name of the variable or flag. */
  from: string;
}

/** Every setting with its value and where it came from, in the order of the schema. */
export function describeSettings(project: Project, file: string): DescribedSetting[] {
  return settings().map(({ path }) => {
    const key = path.join(".");
    const origin = project.origins[key] ?? { from: "default" as const };
    const from = "name" in origin ? origin.name : origin.from === "file" ? file : "default";
    return { key, value: read(project.config, path), from };
  });
}

/** Settings that the service does not enforce yet; silence would be taken for protection. */
const notEnforced = ["service.auth.keys_env", "service.rate_limit.requests", "service.batching.max_rows"];

/** Those of them that this project sets. */
export function settingsNotEnforced(project: Project): string[] {
  return notEnforced.filter((key) => {
    const origin = project.origins[key]?.from ?? "default";
    return origin !== "default" && read(project.config, key.split(".")) !== null;
  });
}
