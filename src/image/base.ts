import type { ProjectConfig } from "../project/schema.js";

export interface BaseChoice {
  reference: string;
  /** One sentence for the user: why this one. */
  reason: string;
}

/** The base image of a project, and the reason for it. */
export function chooseBase(config: Pick<ProjectConfig, "python" | "accelerator" | "image">): BaseChoice {
  if (config.image.base !== null) {
    return { reference: config.image.base, reason: "it was asked for" };
  }
  const reference = `python:${config.python}-slim-bookworm`;
  if (config.accelerator === "cuda") {
    return {
      reference,
      reason: "CUDA wheels bring their own libraries, so a CUDA base would only add gigabytes",
    };
  }
  return {
    reference,
    reason: `the smallest official image with Python ${config.python} that wheels are made for`,
  };
}
