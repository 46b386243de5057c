import { UserError } from "../errors.js";
import { loadProject, type Project } from "../project/load.js";
import type { ProjectIdentity } from "./services.js";

export interface ProjectChoice {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** `--project`. */
  dir?: string | undefined;
}

/** The project that the user is in, or none: commands about services work outside of projects too. */
export async function projectHere(choice: ProjectChoice): Promise<Project | undefined> {
  try {
    return await loadProject(choice);
  } catch (error) {
    if (choice.dir === undefined && error instanceof UserError && error.code === "project_not_found")
      return undefined;
    throw error;
  }
}

export function identity(project: Project | undefined): ProjectIdentity | undefined {
  return project && { root: project.root, name: project.config.name };
}
