import type { ProjectConfig } from "../../project/schema.js";

/** The base image of a project that Node serves. onnxruntime's binaries are made for glibc, which Alpine has not. */
export function nodeBase({ node }: ProjectConfig): { reference: string; reason: string } {
  return {
    reference: `node:${node}-bookworm-slim`,
    reason: `the smallest official image with Node ${node} that onnxruntime-node is made for`,
  };
}
