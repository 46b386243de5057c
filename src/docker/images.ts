import { setTimeout } from "node:timers/promises";
import { throwIfAborted, UserError } from "../errors.js";
import type { Engine } from "./client.js";
import { engineError, engineMessage, statusOf } from "./errors.js";
import { jsonRequest } from "./request.js";

export interface ImageConfig {
  user: string;
  workingDir: string;
  entrypoint: readonly string[];
  cmd: readonly string[];
  /** `8080/tcp`. */
  exposedPorts: readonly string[];
  volumes: readonly string[];
  stopSignal: string | undefined;
  hasHealthcheck: boolean;
}

export interface ImageFacts {
  /** `sha256:...`: the configuration's digest, or on the containerd store the manifest's. */
  id: string;
  repoTags: readonly string[];
  /** `name@sha256:...`, as far as the engine knows them. Podman's is not what was pushed. */
  repoDigests: readonly string[];
  /** Bytes, unpacked (on the containerd store: what it counts as the image's size). */
  size: number;
  labels: Readonly<Record<string, string>>;
  env: Readonly<Record<string, string>>;
  /** `linux/amd64`, `linux/arm64/v8`. */
  platform: string;
  /** ISO 8601; empty where the image does not say. */
  created: string;
  config: ImageConfig;
  /** Digests of the unpacked layers, the base's first. */
  layers: readonly string[];
}

interface InspectAnswer {
  Id: string;
  RepoTags?: string[] | null;
  RepoDigests?: string[] | null;
  Created?: string;
  Os?: string;
  Architecture?: string;
  Variant?: string;
  Size?: number;
  VirtualSize?: number;
  RootFS?: { Layers?: string[] | null };
  Config?: {
    Labels?: Record<string, string> | null;
    Env?: string[] | null;
    User?: string;
    WorkingDir?: string;
    Entrypoint?: string[] | null;
    Cmd?: string[] | null;
    ExposedPorts?: Record<string, unknown> | null;
    Volumes?: Record<string, unknown> | null;
    StopSignal?: string;
    Healthcheck?: { Test?: string[] | null } | null;
  } | null;
}

/** What the engine knows of an image by name or id; `undefined` when it has none such. */
export async function inspectImage(
  engine: Engine,
  ref: string,
  signal?: AbortSignal,
): Promise<ImageFacts | undefined> {
  throwIfAborted(signal);
  try {
    const path = `/images/${encodeURI(ref)}/json`;
    return facts(await jsonRequest<InspectAnswer>(engine.docker, { method: "GET", path, signal }));
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    if (/invalid reference format/i.test(engineMessage(error)))
      throw new UserError("reference", `"${ref}" is no name of an image.`, { why: engineMessage(error) });
    throw engineError(error, `inspecting the image ${ref}`);
  }
}

function facts(answer: InspectAnswer): ImageFacts {
  const config = answer.Config ?? {};
  const platform = [answer.Os || "linux", answer.Architecture || "amd64", answer.Variant].filter(Boolean);
  return {
    id: fullId(answer.Id),
    repoTags: answer.RepoTags ?? [],
    repoDigests: answer.RepoDigests ?? [],
    size: answer.Size ?? answer.VirtualSize ?? 0,
    labels: config.Labels ?? {},
    env: Object.fromEntries((config.Env ?? []).map(splitAtEquals)),
    platform: platform.join("/"),
    created: answer.Created ?? "",
    config: {
      user: config.User ?? "",
      workingDir: config.WorkingDir ?? "",
      entrypoint: config.Entrypoint ?? [],
      cmd: config.Cmd ?? [],
      exposedPorts: Object.keys(config.ExposedPorts ?? {}),
      volumes: Object.keys(config.Volumes ?? {}),
      stopSignal: config.StopSignal || undefined,
      hasHealthcheck: (config.Healthcheck?.Test ?? []).some((word) => word !== "NONE"),
    },
    layers: answer.RootFS?.Layers ?? [],
  };
}

function splitAtEquals(text: string): [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** Podman leaves the algorithm out. */
function fullId(id: string): string {
  return id.includes(":") ? id : `sha256:${id}`;
}

export interface ListedImage {
  id: string;
  repoTags: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** Unix seconds. */
  created: number;
  /** Bytes. */
  size: number;
}

interface ListAnswer {
  Id: string;
  RepoTags?: string[] | null;
  Labels?: Record<string, string> | null;
  Created: number;
  Size: number;
}

const listAttempts = 10;

/** Podman fails the whole list when an image goes away while it is made. */
async function listImages(
  engine: Engine,
  query: Record<string, unknown>,
  signal: AbortSignal | undefined,
): Promise<ListAnswer[]> {
  const ask = { method: "GET", path: "/images/json", query, signal } as const;
  for (let attempt = 1; ; attempt++) {
    try {
      return await jsonRequest<ListAnswer[]>(engine.docker, ask);
    } catch (error) {
      const changing = statusOf(error) === 404 || /image not known/.test(engineMessage(error));
      if (!changing || attempt === listAttempts) throw engineError(error, "listing images");
      await setTimeout(100, undefined, { signal });
    }
  }
}

/** Images that carry all of these labels (none named: all images), untagged ones too, the newest first. */
export async function findImagesByLabel(
  engine: Engine,
  labels: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<ListedImage[]> {
  throwIfAborted(signal);
  const label = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  // Podman takes an empty filter for a wrong one.
  const query = label.length === 0 ? {} : { filters: JSON.stringify({ label }) };
  const answer = await listImages(engine, query, signal);
  return answer
    .map((image) => ({
      id: fullId(image.Id),
      repoTags: (image.RepoTags ?? []).filter((tag) => tag !== "<none>:<none>"),
      labels: image.Labels ?? {},
      created: image.Created,
      size: image.Size,
    }))
    .sort((one, other) => other.created - one.created);
}

/** `host:5000/name:tag` into name and tag; the tag is `latest` where there is none, a digest where there is one. */
export function splitReference(ref: string): { repo: string; tag: string } {
  const digest = ref.indexOf("@");
  if (digest >= 0) return { repo: ref.slice(0, digest).replace(/:[^/:]*$/, ""), tag: ref.slice(digest + 1) };
  const colon = ref.lastIndexOf(":");
  if (colon < 0 || ref.indexOf("/", colon) >= 0) return { repo: ref, tag: "latest" };
  return { repo: ref.slice(0, colon), tag: ref.slice(colon + 1) };
}

/** Gives an image a further name. A name that another image had moves to this one. */
export async function tagImage(engine: Engine, id: string, ref: string): Promise<void> {
  const query = { ...splitReference(ref) };
  try {
    await jsonRequest(engine.docker, { method: "POST", path: `/images/${encodeURI(id)}/tag`, query });
  } catch (error) {
    if (statusOf(error) === 400 || /invalid (reference|tag)/i.test(engineMessage(error)))
      throw new UserError("reference", `"${ref}" is no name that an image can have.`, {
        why: engineMessage(error),
        hint: "Names are lower case, as in registry.example/team/name:tag.",
      });
    throw engineError(error, `tagging the image as ${ref}`);
  }
}

/** Removes a name, or with its last name the image. False when there was no such image. */
export async function removeImage(
  engine: Engine,
  ref: string,
  options: { force?: boolean } = {},
): Promise<boolean> {
  const query = options.force ? { force: true } : {};
  try {
    await jsonRequest(engine.docker, { method: "DELETE", path: `/images/${encodeURI(ref)}`, query });
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw engineError(error, `removing the image ${ref}`);
  }
}

export interface HistoryEntry {
  /** The instruction, as the builder recorded it. */
  createdBy: string;
  /** Unix seconds. */
  created: number;
  /** Bytes; 0 for an instruction that made no layer. */
  size: number;
  comment: string;
}

/** How an image came to be, the newest step first. */
export async function imageHistory(engine: Engine, ref: string): Promise<HistoryEntry[]> {
  interface Answer {
    CreatedBy?: string;
    Created?: number;
    Size?: number;
    Comment?: string;
  }
  const path = `/images/${encodeURI(ref)}/history`;
  const answer = await jsonRequest<Answer[]>(engine.docker, { method: "GET", path }).catch((error) => {
    throw engineError(error, `reading the history of ${ref}`);
  });
  return answer.map((entry) => ({
    createdBy: entry.CreatedBy ?? "",
    created: entry.Created ?? 0,
    size: entry.Size ?? 0,
    comment: entry.Comment ?? "",
  }));
}
