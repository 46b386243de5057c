import { join } from "node:path";

/** The bare upload of the same bytes, in a process of its own. */
export function floorSubject() {
  return {
    tool: "floor",
    name: "bare upload with SHA-256 (the floor)",
    states: ["first"],
    commands: ({ project, registry, repository }) => [
      {
        part: "push",
        command: process.execPath,
        args: [join(import.meta.dirname, "floor.mjs"), registry.address, repository, ...project.weights],
        cwd: project.root,
        env: {},
      },
    ],
    async check({ registry, repository, stdout }) {
      for (const digest of JSON.parse(stdout).digests)
        if (!(await registry.hasBlob(repository, digest))) throw new Error(`The registry has no ${digest}.`);
    },
  };
}
