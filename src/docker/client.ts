import { Agent as TlsAgent } from "node:https";
import type Docker from "dockerode";
import { throwIfAborted, UserError } from "../errors.js";
import type { Endpoint } from "./endpoint.js";
import { unreachable } from "./unreachable.js";

/** The one place that knows dockerode; the rest of src/docker takes an `Engine`. */
export type { Docker };

export interface EngineInfo {
  /** What the engine calls itself. */
  kind: "docker" | "podman";
  /** `20.10.24`, `4.3.1`. */
  version: string;
  /** Highest API version it speaks: `1.41`. */
  apiVersion: string;
  /** Whether POST /session and the BuildKit builder are there. */
  buildkit: boolean;
  /** How images are stored: decides what an image id is and which archives can be loaded. */
  store: "classic" | "containerd";
  /** Its platform, as OCI writes it: `linux/amd64`. */
  platform: string;
  storageDriver: string;
  dataRoot: string;
}

export interface Engine {
  docker: Docker;
  endpoint: Endpoint;
  info: EngineInfo;
}

export interface ConnectOptions {
  /** `--host`: wins over everything in the environment. */
  host?: string | undefined;
  env?: NodeJS.ProcessEnv | undefined;
}

export interface EngineOptions {
  signal?: AbortSignal | undefined;
  env?: NodeJS.ProcessEnv | undefined;
  /** Milliseconds to wait for the first answer. */
  timeout?: number | undefined;
}

/** The newest API version that this code was written for. An engine that speaks less is asked for less. */
const ourApiVersion = "1.46";
/** Labels, build arguments, `target` and health checks are all there since Docker 17.06. */
const oldestApiVersion = "1.30";
/** POST /session is no longer experimental, and `version=2` builds are there, since Docker 18.09. */
const buildkitApiVersion = "1.39";

/**
 * Connects to the engine and asks it once what it is.
 *
 * Throws UserError `engine_unreachable`, `engine_permission` or `engine_unsupported`, each naming the endpoint,
 * where it came from and what to do.
 */
export async function connect(endpoint: Endpoint, options: EngineOptions = {}): Promise<Engine> {
  const env = options.env ?? process.env;
  const remote = endpoint.host.startsWith("ssh:");
  const milliseconds = options.timeout ?? (remote ? 45_000 : 15_000);
  const limit = AbortSignal.timeout(milliseconds);
  const abortSignal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;

  throwIfAborted(options.signal);
  const docker = await createClient(endpoint, env);
  try {
    const version = await ask<VersionAnswer>(docker, "/version", abortSignal);
    if (typeof version?.ApiVersion !== "string" || typeof version.Version !== "string")
      throw new UserError("engine_unreachable", `What answers at ${endpoint.host} is no container engine.`, {
        why: "It gave no API version.",
        hint: `Check the address; it comes from ${endpoint.source}.`,
      });
    pinApiVersion(docker, version, env);
    const info = await ask<InfoAnswer>(docker, "/info", abortSignal);
    return { docker, endpoint, info: describe(version, info ?? {}, env) };
  } catch (error) {
    throwIfAborted(options.signal);
    throw unreachable(error, endpoint, limit.aborted ? milliseconds : undefined);
  }
}

interface VersionAnswer {
  Version: string;
  ApiVersion: string;
  MinAPIVersion?: string;
  Os?: string;
  Arch?: string;
  Components?: { Name?: string; Version?: string }[];
}

interface InfoAnswer {
  Driver?: string;
  DriverStatus?: [string, string][] | null;
  DockerRootDir?: string;
  OSType?: string;
}

function ask<T>(docker: Docker, path: string, abortSignal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = { path, method: "GET", statusCodes: { 200: true }, abortSignal };
    docker.modem.dial(request, (error: Error | null, answer: unknown) => {
      if (error) reject(error);
      else resolve(answer as T);
    });
  });
}

function describe(version: VersionAnswer, info: InfoAnswer, env: NodeJS.ProcessEnv): EngineInfo {
  const podman = version.Components?.some((component) => /podman/i.test(component.Name ?? "")) ?? false;
  const containerd = (info.DriverStatus ?? []).some(
    ([key, value]) => key === "driver-type" && /snapshotter/.test(value),
  );
  const refused = /^(0|false)$/i.test(env.DOCKER_BUILDKIT ?? "");
  return {
    kind: podman ? "podman" : "docker",
    version: version.Version.replace(/\+.*$/, ""),
    apiVersion: version.ApiVersion,
    buildkit: !podman && !refused && compareVersions(version.ApiVersion, buildkitApiVersion) >= 0,
    store: containerd ? "containerd" : "classic",
    platform: `${version.Os ?? info.OSType ?? "linux"}/${version.Arch ?? "amd64"}`,
    storageDriver: info.Driver ?? "unknown",
    dataRoot: info.DockerRootDir ?? "",
  };
}

/** From here on every request names one API version, so that an engine's next release does not change our answers. */
function pinApiVersion(docker: Docker, version: VersionAnswer, env: NodeJS.ProcessEnv): void {
  if (compareVersions(version.ApiVersion, oldestApiVersion) < 0)
    throw new UserError("engine_unsupported", `The engine (${version.Version}) is too old.`, {
      why: `It speaks API ${version.ApiVersion}; modelship needs ${oldestApiVersion} or later.`,
      hint: "Update the engine.",
    });
  const wanted = env.DOCKER_API_VERSION?.replace(/^v/, "") || ourApiVersion;
  let chosen = compareVersions(wanted, version.ApiVersion) < 0 ? wanted : version.ApiVersion;
  if (version.MinAPIVersion && compareVersions(chosen, version.MinAPIVersion) < 0)
    chosen = version.MinAPIVersion;
  const modem = docker.modem as { version?: string };
  modem.version = [modem.version, `v${chosen}`].filter(Boolean).join("/");
}

/** Negative, zero or positive, as `1.9` is before, the same as, or after `1.41`. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [one, other].map((text) => text.split(".").map((part) => Number.parseInt(part, 10) || 0));
  for (let index = 0; index < Math.max(a?.length ?? 0, b?.length ?? 0); index++) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** dockerode with nothing left for docker-modem to guess. Loaded late: it takes longer to import than `--help` may. */
async function createClient(endpoint: Endpoint, env: NodeJS.ProcessEnv): Promise<Docker> {
  const options = await clientOptions(endpoint, env);
  const { default: DockerClient } = await import("dockerode");

  // docker-modem parses DOCKER_HOST and reads DOCKER_CERT_PATH even where all options are given, and throws on bad ones.
  const hidden = ["DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_PATH_PREFIX", "DOCKER_CLIENT_TIMEOUT"].map(
    (name) => [name, process.env[name]] as const,
  );
  for (const [name] of hidden) delete process.env[name];
  try {
    return new DockerClient(options as Docker.DockerOptions);
  } finally {
    for (const [name, value] of hidden) if (value !== undefined) process.env[name] = value;
  }
}

/** docker-modem's options for an endpoint. Keys that must not be guessed are there with the value `undefined`. */
export async function clientOptions(
  endpoint: Endpoint,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Record<string, unknown>> {
  const explicit = { host: undefined, port: undefined, socketPath: undefined, version: undefined };
  const { host, tls } = endpoint;

  if (host.startsWith("unix://")) return { ...explicit, protocol: "http", socketPath: host.slice(7) };
  if (host.startsWith("npipe://"))
    return { ...explicit, protocol: "http", socketPath: host.slice(8).replaceAll("\\", "/") };

  const url = parsed(endpoint);
  const name = url.hostname.replace(/^\[|\]$/g, "");
  if (url.protocol === "ssh:") {
    const { SshAgent } = await import("./ssh.js");
    // The name is only a label here: the agent's connection decides where requests go.
    return { ...explicit, protocol: "http", host: "docker", port: 80, agent: new SshAgent(host, env) };
  }
  if (!["tcp:", "http:", "https:"].includes(url.protocol)) throw notAnAddress(endpoint);

  const secure = tls !== undefined || url.protocol === "https:";
  return {
    ...explicit,
    protocol: secure ? "https" : "http",
    host: name,
    port: url.port || (secure ? "2376" : url.protocol === "http:" ? "80" : "2375"),
    // docker-modem drops a path from the address, and puts a version before every path: that does it.
    version: url.pathname.replace(/^\/+|\/+$/g, "") || undefined,
    ...(secure && {
      agent: new TlsAgent({
        keepAlive: true,
        rejectUnauthorized: tls?.verify ?? true,
        ...(tls?.ca && { ca: tls.ca }),
        ...(tls?.cert && { cert: tls.cert }),
        ...(tls?.key && { key: tls.key }),
      }),
    }),
  };
}

function parsed(endpoint: Endpoint): URL {
  try {
    // `tcp:` is no special scheme to the URL parser, which then would not drop default ports or check the host.
    return new URL(endpoint.host);
  } catch {
    throw notAnAddress(endpoint);
  }
}

function notAnAddress(endpoint: Endpoint): UserError {
  return new UserError("engine_unreachable", `"${endpoint.host}" is no address of an engine.`, {
    why: `It comes from ${endpoint.source}.`,
    hint: "Use unix:///path/to/docker.sock, tcp://host:2375, tcp://host:2376 with TLS, ssh://user@host or npipe:////./pipe/docker_engine.",
  });
}
