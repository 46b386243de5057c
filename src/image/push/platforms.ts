import { type CodeImageBuild, codeImage, codeTag, type OpenProject, openProject } from "../code-image.js";
import type { BuildOptions } from "../prepare.js";

/** A project that was opened, with its code image for every platform that it is for. */
export interface ProjectBuild extends OpenProject {
  /** One a platform; each is built once the one before it is there. */
  building: readonly [Promise<CodeImageBuild>, ...Promise<CodeImageBuild>[]];
}

/**
 * Opens a project and begins to build its code images: for the engine's own platform, or for each of those that
 * `--platform` or `image.platforms` lists. One after the other, as a base image's tag names one platform at a time.
 */
export async function buildPlatforms(options: BuildOptions): Promise<ProjectBuild> {
  const asked = options.platform?.split(",");
  const opened = await openProject({ ...options, platform: asked?.[0] });
  const platforms = asked ?? opened.prepared.project.config.image.platforms;
  if (platforms.length < 2) return { ...opened, building: heard([codeImage(options, opened)]) };
  const [first = "", ...others] = new Set(platforms);
  const building: [Promise<CodeImageBuild>, ...Promise<CodeImageBuild>[]] = [
    buildFor({ ...options, platform: first }),
  ];
  for (const platform of others) {
    const before = building.at(-1);
    building.push(Promise.resolve(before).then(() => buildFor({ ...options, platform })));
  }
  return { ...opened, building: heard(building) };
}

async function buildFor(options: BuildOptions): Promise<CodeImageBuild> {
  const opened = await openProject(options);
  return codeImage(options, opened, [codeTag(opened.prepared.project, options.platform)]);
}

/** Whoever needs one hears of its failure; nobody else has to. */
function heard<Work extends readonly Promise<unknown>[]>(work: Work): Work {
  for (const one of work) one.catch(() => {});
  return work;
}
