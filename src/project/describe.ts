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
