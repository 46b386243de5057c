import { createHash } from "node:crypto";
import { resolve } from "node:path";

/** Labels on the containers that `run` starts. They say nothing secret: anyone who may list containers sees them. */
export const ServiceLabel = {
  /** The service's name; its presence makes a container one of ours. */
  name: "dev.modelship.service",
  /** Which project it was started from; absent for `run IMAGE`. */
  project: "dev.modelship.project",
  /** The image by the name it was asked for; the engine itself keeps only its id. */
  image: "dev.modelship.image",
  /** Where the service answers, when no port is published for it (the host's network). */
  address: "dev.modelship.address",
} as const;

/** Stands for a project's folder in a label without telling where it is. */
export function projectKey(root: string): string {
  return createHash("sha256").update(resolve(root)).digest("hex").slice(0, 16);
}
