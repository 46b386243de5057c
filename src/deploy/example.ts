import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Project } from "../project/load.js";

/** The project's example request, as the templates write it; `undefined` where there is none. */
export async function findExample(project: Project): Promise<string | undefined> {
  const path = join(project.root, "examples", "request.json");
  return access(path).then(
    () => path,
    () => undefined,
  );
}
