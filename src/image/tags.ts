import type { Revision } from "../project/git.js";
import type { ProjectConfig } from "../project/schema.js";

/** `name:version`, and where git knows the tree `name:version-g<commit>`, marked when the tree is dirty. */
export function defaultTags(
  config: Pick<ProjectConfig, "name" | "version" | "image">,
  revision?: Revision,
): string[] {
  const name = config.image.repository ?? config.name;
  const tags = [`${name}:${config.version}`];
  if (revision) {
    tags.push(`${name}:${config.version}-g${revision.commit.slice(0, 7)}${revision.dirty ? "-dirty" : ""}`);
  }
  return tags;
}
