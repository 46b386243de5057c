import type { Project } from "../project/load.js";
import { projectFileName } from "../project/project-file.js";
import { nodeBase } from "./node/base.js";

export interface BaseChoice {
  reference: string;
  /** One sentence for the user: why this one. */
  reason: string;
}

/** The base image of a project, and the reason for it. */
export function chooseBase({ config, origins }: Pick<Project, "config" | "origins">): BaseChoice {
  if (config.image.base !== null) {
    const origin = origins["image.base"];
    return {
      reference: config.image.base,
      reason: `named by ${origin && "name" in origin ? origin.name : projectFileName}`,
    };
  }
  if (config.runtime === "node") return nodeBase(config);
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
