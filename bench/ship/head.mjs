// What stands above the tables: where, when and with which versions it was measured, and what the figures mean.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { findDocker } from "./docker.mjs";

export function head({ options, engines, registry, peers, load }) {
  const docker = findDocker();
  const commit = quiet("git", ["-C", import.meta.dirname, "describe", "--always", "--dirty"]);
  const versions = [
    `modelship ${JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version} (${commit})`,
    `Node ${process.versions.node}`,
    ...engines.map((engine) => engine.title),
    docker ? `docker client ${docker.version}` : "no docker client: the engine's API",
    `registry: ${registry.name}`,
    ...Object.entries(peers).map(([name, peer]) => `${name} ${peer?.version ?? "not to be had"}`),
  ];
  const { length, 0: processor } = cpus();
  return [
    `\`node bench/ship/run.mjs ${process.argv.slice(2).join(" ")}\`, ${new Date().toISOString().slice(0, 10)}, ` +
      `${length} cores (${processor.model}), load average ${load.map((value) => value.toFixed(1)).join(" before, ")} after.`,
    `${versions.join("; ")}.`,
    `Weights: ${options.files} file${options.files > 1 ? "s" : ""} of random bytes, in the page cache; 1 GB is 1e9 bytes. ` +
      `${options.rounds} round${options.rounds > 1 ? "s, medians (and range)" : ""}. Before each first ship the registry is started ` +
      "from the same state: an earlier version of the image without weights is there, so nobody uploads the base image or the " +
      "dependencies, and the engine has them built; weights and code are new to every cache, and modelship's cache folder is empty. " +
      "docker adds two COPY steps to that image. The inputs of skopeo and crane (tars, a layout) are made before the clock starts. " +
      "Memory and processor time are the client's; the engine's processor time is of its whole process tree. " +
      "Bytes are what the registry's disk gained.",
  ].join("\n\n");
}

function quiet(command, args) {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}
