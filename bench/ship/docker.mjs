// `docker build` and `docker push` with the weights in a COPY.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const say = (command, args) => {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
};

/** The docker commands of this machine; one that can talk to BuildKit comes first: it is what `docker build` is today. */
export function findDocker() {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin"];
  const found = [...new Set(folders.map((folder) => join(folder, "docker")))].filter(existsSync);
  const clients = found.flatMap((command) => {
    const version = /(\d+\.\d+\.\S+?),?(\s|$)/.exec(say(command, ["--version"]) ?? "")?.[1];
    if (!version) return [];
    // Since 23 the client's part of BuildKit is a plug-in, which not every package brings.
    const buildkit = Number(version.split(".")[0]) < 23 || say(command, ["buildx", "version"]) !== undefined;
    return [{ command, version, buildkit }];
  });
  return clients.find((client) => client.buildkit) ?? clients[0];
}

/** Subjects of one engine. `builders`: buildkit, classic. Where there is no docker command, the engine's API is asked. */
export function dockerSubjects({ engine, builders, folder }) {
  const docker = findDocker();
  const able = builders.filter((builder) => builder === "classic" || docker?.buildkit);
  const chosen = able.length > 0 ? able : ["classic"];
  return chosen.map((builder) => dockerSubject({ engine, builder, docker, folder }));
}

function dockerSubject({ engine, builder, docker, folder }) {
  const client = docker ? `docker ${docker.version}` : "engine API";
  const config = join(folder, "docker-config");
  mkdirSync(config, { recursive: true });
  const env = {
    DOCKER_CONFIG: config,
    DOCKER_HOST: engine.host,
    DOCKER_BUILDKIT: builder === "buildkit" ? "1" : "0",
  };
  const api = join(import.meta.dirname, "docker-api.mjs");
  const commands = ({ project, reference, code }) => {
    // Weights before code, so that an edit does not copy them again.
    const dockerfile = `FROM ${code}\nCOPY model/ /app/model/\nCOPY app/ /app/\nLABEL modelship.bench=${project.name}\n`;
    writeFileSync(join(project.context, "Dockerfile"), dockerfile);
    const options = { cwd: project.context, env };
    return docker
      ? [
          { part: "build", command: docker.command, args: ["build", "-q", "-t", reference, "."], ...options },
          { part: "push", command: docker.command, args: ["push", "-q", reference], ...options },
        ]
      : ["build", "push"].map((part) => ({
          part,
          command: process.execPath,
          args: [api, part, reference, project.context],
          ...options,
        }));
  };
  return {
    tool: "docker",
    name: `docker build + push (${builder === "buildkit" ? "BuildKit" : "classic builder"}, ${client})`,
    engine,
    tag: "docker",
    states: ["first", "nothing", "edit", "touch"],
    commands,
  };
}
