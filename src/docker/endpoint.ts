import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { posix } from "node:path";
import { UserError } from "../errors.js";
import { dockerConfigDir, dockerConfigPath, readConfigFile } from "./auth/config-file.js";
import { contextEndpoint } from "./contexts.js";
import type { Endpoint } from "./engine-address.js";
import { readTlsFiles } from "./tls-files.js";

export type { Endpoint };

export interface EndpointOptions {
  /** `--host` */
  host?: string | undefined;
  /** `--context` */
  context?: string | undefined;
  env?: NodeJS.ProcessEnv | undefined;
  platform?: NodeJS.Platform | undefined;
  home?: string | undefined;
  uid?: number | undefined;
  /** Whether a socket or pipe is there. */
  exists?: ((path: string) => boolean) | undefined;
}

/**
 * Finds the engine as the docker client does: what was asked for, what the environment says, the current context,
 * the default socket. Only when nobody chose and the default is not there, the places where other engines listen.
 * Where nothing is found the answer is the default, and connecting to it explains.
 */
export async function resolveEndpoint(options: EndpointOptions = {}): Promise<Endpoint> {
  const env = options.env ?? process.env;
  const home = options.home ?? homedir();
  if (options.host && options.context) {
    throw new UserError("usage", "--host and --context were both given.", {
      why: "Each of them names an engine.",
      hint: "Leave one of them out.",
    });
  }
  if (options.host) return fromHost(options.host, "--host", env, home);

  const asked = options.context
    ? { name: options.context, by: "--context" }
    : env.DOCKER_HOST
      ? undefined
      : await configuredContext(env, home);
  if (asked && asked.name !== "default") {
    const found = await contextEndpoint(dockerConfigDir(env, home), asked.name, asked.by);
    const host = normalHost(found.host, `context "${asked.name}"`, found.tls !== undefined);
    return { ...found, ...withoutTlsOnSocket(host, found.tls) };
  }
  // The context named "default" stands for DOCKER_HOST or the default socket.
  if (env.DOCKER_HOST) return fromHost(env.DOCKER_HOST, "DOCKER_HOST", env, home);

  const candidates = candidateEndpoints({ ...options, env, home });
  const fallback = platformDefault(options.platform ?? process.platform);
  if (asked) return fallback;
  const exists = options.exists ?? existsSync;
  return candidates.find((candidate) => exists(socketPath(candidate.host))) ?? fallback;
}

/** Every place that is tried when nothing is configured, in order; the first is the platform's default. */
export function candidateEndpoints(options: EndpointOptions = {}): Endpoint[] {
  const env = options.env ?? process.env;
  const home = options.home ?? homedir();
  const platform = options.platform ?? process.platform;
  if (platform === "win32") {
    return [
      platformDefault(platform),
      { host: "npipe:////./pipe/dockerDesktopLinuxEngine", source: "Docker Desktop's pipe" },
      { host: "npipe:////./pipe/podman-machine-default", source: "Podman's pipe" },
    ];
  }
  const uid = options.uid ?? process.getuid?.();
  const runtimeDirs = [env.XDG_RUNTIME_DIR, uid === undefined ? undefined : `/run/user/${uid}`];
  const inRuntimeDirs = (path: string) =>
    runtimeDirs.flatMap((directory) => (directory ? [posix.join(directory, path)] : []));
  const inHome = (...parts: string[]) => posix.join(home, ...parts);
  const places: [source: string, paths: (string | undefined)[]][] = [
    ["rootless Docker's socket", inRuntimeDirs("docker.sock")],
    ["Docker Desktop's socket", [inHome(".docker/run/docker.sock"), inHome(".docker/desktop/docker.sock")]],
    [
      "Colima's socket",
      [
        env.COLIMA_HOME && posix.join(env.COLIMA_HOME, "default/docker.sock"),
        inHome(".colima/default/docker.sock"),
        inHome(".config/colima/default/docker.sock"),
      ],
    ],
    ["Rancher Desktop's socket", [inHome(".rd/docker.sock")]],
    ["OrbStack's socket", [inHome(".orbstack/run/docker.sock")]],
    ["Podman's socket", uid === 0 ? ["/run/podman/podman.sock"] : []],
    ["rootless Podman's socket", inRuntimeDirs("podman/podman.sock")],
    ["Podman's socket", ["/run/podman/podman.sock"]],
    [
      "Podman machine's socket",
      platform === "darwin" ? [inHome(".local/share/containers/podman/machine/podman.sock")] : [],
    ],
  ];
  const found = new Map<string, Endpoint>();
  const add = (endpoint: Endpoint) => {
    if (!found.has(endpoint.host)) found.set(endpoint.host, endpoint);
  };
  add(platformDefault(platform));
  for (const [source, paths] of places) {
    for (const path of paths) if (path) add({ host: `unix://${path}`, source });
  }
  return [...found.values()];
}

/** The path of a socket or pipe; the address itself for anything else. */
export function socketPath(host: string): string {
  return host.replace(/^(unix|npipe):\/\//, "");
}

function platformDefault(platform: NodeJS.Platform): Endpoint {
  return platform === "win32"
    ? { host: "npipe:////./pipe/docker_engine", source: "the default pipe" }
    : { host: "unix:///var/run/docker.sock", source: "the default socket" };
}

async function configuredContext(env: NodeJS.ProcessEnv, home: string) {
  if (env.DOCKER_CONTEXT) return { name: env.DOCKER_CONTEXT, by: "DOCKER_CONTEXT" };
  const path = dockerConfigPath(env, home);
  const name = (await readConfigFile(path))?.data.currentContext;
  if (typeof name !== "string" || name === "" || name === "default") return undefined;
  return { name, by: `currentContext in ${path}` };
}

async function fromHost(
  text: string,
  source: string,
  env: NodeJS.ProcessEnv,
  home: string,
): Promise<Endpoint> {
  const wantsTls = Boolean(env.DOCKER_TLS_VERIFY || env.DOCKER_TLS || env.DOCKER_CERT_PATH);
  const host = normalHost(text, source, wantsTls);
  const tls = wantsTls || /^https:/i.test(text) ? await tlsFromEnv(env, home) : undefined;
  return { source, ...withoutTlsOnSocket(host, tls) };
}

function withoutTlsOnSocket(host: string, tls: Endpoint["tls"]): Pick<Endpoint, "host" | "tls"> {
  return tls && host.startsWith("tcp:") ? { host, tls } : { host };
}

async function tlsFromEnv(env: NodeJS.ProcessEnv, home: string): Promise<NonNullable<Endpoint["tls"]>> {
  const directory = env.DOCKER_CERT_PATH || dockerConfigDir(env, home);
  if (env.DOCKER_CERT_PATH && !(await stat(directory).catch(() => undefined))?.isDirectory()) {
    throw new UserError("usage", `The folder ${directory} does not exist.`, {
      why: "DOCKER_CERT_PATH names it as the place of ca.pem, cert.pem and key.pem.",
      hint: "Correct DOCKER_CERT_PATH, or unset it.",
    });
  }
  // An https:// address has no switch of its own that turns verification off.
  const verify = Boolean(env.DOCKER_TLS_VERIFY) || !(env.DOCKER_TLS || env.DOCKER_CERT_PATH);
  return { verify, ...(await readTlsFiles(directory)) };
}

/** One spelling for each kind of address: unix, npipe, ssh, or tcp with its port. */
function normalHost(text: string, source: string, tls: boolean): string {
  const trimmed = text.trim();
  const [, scheme = "tcp", rest = ""] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(trimmed) ?? [];
  switch (scheme.toLowerCase()) {
    case "unix":
      if (!rest.startsWith("/")) throw malformed(text, source, "The path of a socket starts with a slash.");
      return `unix://${rest}`;
    case "npipe":
      if (rest === "") throw malformed(text, source, "The name of the pipe is missing.");
      return `npipe://${rest.replaceAll("\\", "/")}`;
    case "ssh":
      if (!URL.canParse(trimmed) || new URL(trimmed).hostname === "") {
        throw malformed(text, source, "The name of the machine is missing.");
      }
      return trimmed;
    case "tcp":
    case "http":
    case "https":
      return tcpHost(rest, text, source, tls || scheme.toLowerCase() === "https");
    default:
      throw malformed(text, source, `"${scheme}://" is not a kind of engine address.`);
  }
}

function tcpHost(rest: string, text: string, source: string, tls: boolean): string {
  // The scheme only lends its parser: http: would swallow port 80.
  const url = URL.canParse(`tcp://${rest}`) ? new URL(`tcp://${rest}`) : undefined;
  if (!url?.hostname || url.username || /\s/.test(rest)) {
    throw malformed(text, source, "It has no host name, or no valid port.");
  }
  if (url.pathname.length > 1 || url.search || url.hash) {
    throw malformed(text, source, "A path behind the port is not supported.");
  }
  return `tcp://${url.hostname}:${url.port || (tls ? "2376" : "2375")}`;
}

function malformed(text: string, source: string, why: string): UserError {
  // An address may hold a password; it is not repeated.
  const shown = text.replace(/\/\/[^/@]*@/, "//***@");
  return new UserError("usage", `The engine address "${shown}" from ${source} cannot be used.`, {
    why,
    hint: "Valid ones look like unix:///var/run/docker.sock, tcp://host:2375, ssh://user@host or npipe:////./pipe/docker_engine.",
  });
}
