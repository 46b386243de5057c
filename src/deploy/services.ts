import type { Engine } from "../docker/client.js";
import { type ContainerSummary, listContainers, type PublishedPort } from "../docker/containers.js";
import type { Endpoint } from "../docker/endpoint.js";
import { UserError } from "../errors.js";
import { Label } from "../image/label-names.js";
import { serviceUrl } from "./address.js";
import { projectKey, ServiceLabel } from "./labels.js";

/** A container that `run` started. */
export interface Service {
  name: string;
  id: string;
  image: string;
  /** Where it answers; `undefined` once it has ended. */
  url: string | undefined;
  running: boolean;
  /** The engine's own words: `Up 3 minutes (healthy)`. */
  status: string;
  created: Date;
  /** Key of the project it was started from. */
  project: string | undefined;
  /** What the image calls its model. */
  model: string | undefined;
}

/** What tells a project's services apart. */
export interface ProjectIdentity {
  root: string;
  name: string;
}

/** All of ours, newest first. */
export async function listServices(engine: Engine, options: { all?: boolean } = {}): Promise<Service[]> {
  const containers = await listContainers(engine, [ServiceLabel.name], options);
  return containers.map((container) => describe(container, engine.endpoint));
}

/** The services that `names` (or the beginnings of their ids) stand for, in that order. */
export function namedServices(services: readonly Service[], names: readonly string[]): Service[] {
  return names.map((name) => {
    const found =
      services.find((service) => service.name === name) ??
      services.find((service) => /^[0-9a-f]{4,64}$/.test(name) && service.id.startsWith(name));
    if (found) return found;
    throw new UserError("container_not_found", `There is no service "${name}".`, {
      hint:
        services.length === 0
          ? "modelship has started none; `modelship run --detach` does."
          : `There are: ${nameList(services)}.`,
    });
  });
}

/**
 * The one service that is meant where none was named: the project's, or outside of a project the only one.
 * `undefined` when there is none.
 */
export function onlyService(
  services: readonly Service[],
  project: ProjectIdentity | undefined,
  howToName: string,
): Service | undefined {
  const candidates = servicesOf(services, project);
  if (candidates.length <= 1) return candidates[0];
  throw new UserError("usage", `Which service: ${nameList(candidates)}?`, {
    why: project ? "This project has several." : "Several are there, and this is no project's folder.",
    hint: howToName,
  });
}

/**
 * The project's services: those started from it, or else those of an image of its name that came from elsewhere
 * (`run IMAGE`). Outside of a project all of them.
 */
export function servicesOf(services: readonly Service[], project: ProjectIdentity | undefined): Service[] {
  if (project === undefined) return [...services];
  const key = projectKey(project.root);
  const own = services.filter((service) => service.project === key);
  if (own.length > 0) return own;
  return services.filter((service) => service.project === undefined && service.model === project.name);
}

export function nameList(services: readonly Service[]): string {
  return services.map((service) => service.name).join(", ");
}

function describe(container: ContainerSummary, endpoint: Endpoint): Service {
  const { labels } = container;
  const running = container.state === "running";
  return {
    name: container.name,
    id: container.id,
    image: labels[ServiceLabel.image] ?? container.image,
    url: running ? urlOf(container.ports, labels, endpoint) : undefined,
    running,
    status: container.status || container.state,
    created: container.created,
    project: labels[ServiceLabel.project],
    model: labels[Label.name],
  };
}

/** From the published port, or from the label where the service is on the host's network. */
export function urlOf(
  ports: readonly PublishedPort[],
  labels: Readonly<Record<string, string>>,
  endpoint: Endpoint,
): string | undefined {
  // A port bound to all addresses is listed for IPv4 and for IPv6.
  const port = ports.find(({ address }) => !address.includes(":")) ?? ports[0];
  if (port) return serviceUrl(endpoint, port.address, port.hostPort);
  const match = /^(.*):(\d+)$/.exec(labels[ServiceLabel.address] ?? "");
  return match ? serviceUrl(endpoint, match[1] ?? "", Number(match[2])) : undefined;
}
