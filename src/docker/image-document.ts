import type { Engine } from "./client.js";
import { engineError } from "./errors.js";
import { jsonRequest } from "./request.js";

/** An image's configuration as far as its engine tells it, in the engine's own words. */
export interface ImageDocument {
  /** ISO 8601; empty where the image does not say. */
  created: string;
  author: string;
  architecture: string;
  os: string;
  variant: string;
  config: { Labels?: Readonly<Record<string, string>> | null; [field: string]: unknown };
  /** Digests of the unpacked layers, the base's first. */
  layers: readonly string[];
  /** The oldest step first. */
  history: readonly ImageStep[];
}

export interface ImageStep {
  /** ISO 8601. */
  created: string;
  createdBy: string;
  comment: string;
  /** Bytes. */
  size: number;
  /** Whether the step made no layer, where the engine says so. */
  empty: boolean | undefined;
}

interface InspectAnswer {
  Created?: string;
  Author?: string;
  Architecture?: string;
  Os?: string;
  Variant?: string;
  RootFS?: { Layers?: string[] | null };
  Config?: ImageDocument["config"] | null;
}

/** The parts of an image's configuration, from which it can be written down again. */
export async function imageDocument(engine: Engine, id: string): Promise<ImageDocument> {
  try {
    return await (engine.info.kind === "podman" ? podmanDocument(engine, id) : dockerDocument(engine, id));
  } catch (error) {
    throw engineError(error, `inspecting the image ${id}`);
  }
}

async function dockerDocument({ docker }: Engine, id: string): Promise<ImageDocument> {
  interface Step {
    Created?: number;
    CreatedBy?: string;
    Comment?: string;
    Size?: number;
  }
  const path = `/images/${encodeURI(id)}`;
  const [inspected, steps] = await Promise.all([
    jsonRequest<InspectAnswer>(docker, { method: "GET", path: `${path}/json` }),
    jsonRequest<Step[]>(docker, { method: "GET", path: `${path}/history` }),
  ]);
  const history = steps.map((step) => ({
    created: new Date((step.Created ?? 0) * 1000).toISOString(),
    createdBy: step.CreatedBy ?? "",
    comment: step.Comment ?? "",
    size: step.Size ?? 0,
    empty: undefined,
  }));
  return { ...common(inspected), history: history.reverse() };
}

/** Podman's answers in Docker's form leave the health check out; its own have all, history included. */
async function podmanDocument({ docker }: Engine, id: string): Promise<ImageDocument> {
  interface Answer extends InspectAnswer {
    Healthcheck?: unknown;
    History?: { created?: string; created_by?: string; comment?: string; empty_layer?: boolean }[] | null;
  }
  const path = `/libpod/images/${encodeURIComponent(id)}/json`;
  const inspected = await jsonRequest<Answer>(docker, { method: "GET", path });
  const document = common(inspected);
  return {
    ...document,
    ...(inspected.Healthcheck != null && {
      config: { ...document.config, Healthcheck: inspected.Healthcheck },
    }),
    history: (inspected.History ?? []).map((step) => ({
      created: step.created ?? "",
      createdBy: step.created_by ?? "",
      comment: step.comment ?? "",
      size: 0,
      empty: step.empty_layer ?? false,
    })),
  };
}

function common(answer: InspectAnswer): Omit<ImageDocument, "history"> {
  return {
    created: answer.Created ?? "",
    author: answer.Author ?? "",
    architecture: answer.Architecture || "amd64",
    os: answer.Os || "linux",
    variant: answer.Variant ?? "",
    config: answer.Config ?? {},
    layers: answer.RootFS?.Layers ?? [],
  };
}
