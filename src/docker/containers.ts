import type { Docker, Engine } from "./client.js";
import { engineError, engineMessage, statusOf } from "./errors.js";
import { jsonRequest, streamRequest } from "./request.js";

/** What the engine is asked to create: the body of its API, as plain data. */
export type ContainerSpec = Omit<Docker.ContainerCreateOptions, "name" | "platform" | "abortSignal">;

export interface PublishedPort {
  containerPort: number;
  hostPort: number;
  address: string;
}

export interface ContainerSummary {
  id: string;
  name: string;
  /** The image as the engine shows it: a name, or an id once its name has moved on. */
  image: string;
  labels: Readonly<Record<string, string>>;
  /** `created`, `running`, `paused`, `restarting`, `exited`, `dead`. */
  state: string;
  /** For people: `Up 3 minutes (healthy)`. */
  status: string;
  created: Date;
  ports: readonly PublishedPort[];
}

export interface ContainerState {
  id: string;
  name: string;
  state: string;
  exitCode: number;
  oomKilled: boolean;
  /** What the engine has to say when the container did not start. */
  error: string;
  /** Its output is a terminal's: one stream, without frames. */
  tty: boolean;
  labels: Readonly<Record<string, string>>;
  ports: readonly PublishedPort[];
}

/** Why the engine refused to create or start a container, where a caller can do something about it. */
export type StartProblem = "name" | "port" | "gpu" | "limits" | "init" | "mount" | "network";

/** Creates a container and returns its id. Nothing runs yet. */
export async function createContainer(engine: Engine, name: string, spec: ContainerSpec): Promise<string> {
  const answer = await jsonRequest<{ Id: string }>(engine.docker, {
    method: "POST",
    path: "/containers/create",
    query: { name },
    body: spec,
  });
  return answer.Id;
}

export async function startContainer(engine: Engine, id: string): Promise<void> {
  await drain(streamRequest(engine.docker, { method: "POST", path: `/containers/${id}/start` }), [304]);
}

/** `undefined` when there is no such container. */
export async function inspectContainer(engine: Engine, id: string): Promise<ContainerState | undefined> {
  try {
    const found = await jsonRequest<Docker.ContainerInspectInfo>(engine.docker, {
      method: "GET",
      path: `/containers/${encodeURIComponent(id)}/json`,
    });
    return {
      id: found.Id,
      name: found.Name.replace(/^\//, ""),
      state: found.State.Status,
      exitCode: found.State.ExitCode,
      oomKilled: found.State.OOMKilled,
      error: found.State.Error ?? "",
      tty: found.Config.Tty ?? false,
      labels: found.Config.Labels ?? {},
      ports: portsOf(found.NetworkSettings?.Ports),
    };
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw engineError(error, "looking at the container");
  }
}

/** Containers that carry all of `labels` (`key` or `key=value`), newest first. */
export async function listContainers(
  engine: Engine,
  labels: readonly string[],
  options: { all?: boolean } = {},
): Promise<ContainerSummary[]> {
  try {
    const found = await jsonRequest<Docker.ContainerInfo[]>(engine.docker, {
      method: "GET",
      path: "/containers/json",
      query: { all: options.all ? "1" : "0", filters: JSON.stringify({ label: labels }) },
    });
    return found
      .map((container) => ({
        id: container.Id,
        name: container.Names[0]?.replace(/^\//, "") ?? container.Id.slice(0, 12),
        image: container.Image,
        labels: container.Labels ?? {},
        state: container.State,
        status: container.Status,
        created: new Date(container.Created * 1000),
        ports: (container.Ports ?? []).flatMap((port) =>
          port.PublicPort
            ? [
                {
                  containerPort: port.PrivatePort,
                  hostPort: port.PublicPort,
                  address: port.IP || "0.0.0.0",
                },
              ]
            : [],
        ),
      }))
      .sort((a, b) => b.created.getTime() - a.created.getTime());
  } catch (error) {
    throw engineError(error, "listing the containers");
  }
}

/** SIGTERM, and SIGKILL after `seconds`. Resolves when the container has ended; fine when it had before. */
export async function stopContainer(engine: Engine, id: string, seconds: number): Promise<void> {
  try {
    const request = { method: "POST", path: `/containers/${id}/stop`, query: { t: seconds } } as const;
    await drain(streamRequest(engine.docker, request), [304, 404]);
  } catch (error) {
    throw engineError(error, "stopping the container");
  }
}

/** Removes the container, running or not, with its anonymous volumes; fine when it is gone or on its way. */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  try {
    const query = { force: "1", v: "1" };
    await drain(
      streamRequest(engine.docker, { method: "DELETE", path: `/containers/${id}`, query }),
      [404, 409],
    );
  } catch (error) {
    throw engineError(error, "removing the container");
  }
}

/** Size of a file as the container sees it (also before it starts); `undefined` where it sees none. */
export async function fileInContainer(engine: Engine, id: string, path: string): Promise<number | undefined> {
  try {
    const answer = await streamRequest(engine.docker, {
      method: "HEAD",
      path: `/containers/${id}/archive`,
      query: { path },
    });
    answer.resume();
    const header = answer.headers["x-docker-container-path-stat"];
    const stat = JSON.parse(Buffer.from(String(header), "base64").toString("utf8")) as { size: number };
    return stat.size;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw engineError(error, "looking into the container");
  }
}

/** Recognises what the engines say when a container cannot be created or started. */
export function startProblem(error: unknown): StartProblem | undefined {
  const message = engineMessage(error);
  const is = (pattern: RegExp) => pattern.test(message);
  if (
    is(
      /container name .* (is )?already in use|name .* is in use|already in use by|that name is already in use/i,
    )
  )
    return "name";
  if (
    is(/port is already allocated|address already in use|ports are not available|failed to bind host port/i)
  )
    return "port";
  if (
    is(
      /could not select device driver|nvidia-container|unresolvable CDI device|CDI device|no known GPU vendor|device_requests|GPU device/i,
    )
  )
    return "gpu";
  if (is(/rlimit|ulimit/i)) return "limits";
  if (is(/docker-init|container-init|catatonit|exec: "tini/i)) return "init";
  if (
    is(
      /bind source path does not exist|mounts denied|not shared from|invalid mount config|statfs .*no such file/i,
    )
  )
    return "mount";
  if (is(/network .* not found|unable to find network|no such network/i)) return "network";
  return undefined;
}

function portsOf(
  ports: Readonly<Record<string, readonly { HostIp?: string; HostPort: string }[] | null>> | undefined,
): PublishedPort[] {
  return Object.entries(ports ?? {}).flatMap(([name, bindings]) =>
    (bindings ?? []).map((binding) => ({
      containerPort: Number.parseInt(name, 10),
      hostPort: Number(binding.HostPort),
      address: binding.HostIp || "0.0.0.0",
    })),
  );
}

/** Reads an answer without interest in its body, and takes `fine` statuses for success. */
async function drain(answer: ReturnType<typeof streamRequest>, fine: readonly number[]): Promise<void> {
  try {
    for await (const _ of await answer);
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined || !fine.includes(status)) throw error;
  }
}
