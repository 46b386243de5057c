import { UserError } from "../errors.js";

/** JSON Schema as it came: nothing in it can be relied on. */
export type JsonSchema = unknown;

/** What a client has to know of a service. */
export interface ServiceDescription {
  name: string;
  version: string;
  /** API version: `v1`. */
  api: string;
  /** Address that the client asks unless it is told another. */
  url?: string | undefined;
  /** Rows and outputs; absent where the model has no `predict`. */
  predict?: PredictDescription | undefined;
  chat: boolean;
  complete: boolean;
  embed: boolean;
  /** Rows or texts of one request. */
  maxRows: number;
}

export interface PredictDescription {
  /** One row and one output; `undefined` where their types cannot be known before the model runs. */
  types?: { input: JsonSchema; output: JsonSchema } | undefined;
  /** What `$ref` may lead to: a reference's last part is a key here. */
  definitions: Readonly<Record<string, JsonSchema>>;
  /** `predict` is a generator; `unknown` where that cannot be known before the model runs. */
  streams: boolean | "unknown";
}

const defaultMaxRows = 1024;

/** A service of which nothing but its name is known: any JSON goes in, any comes out, and it may stream, chat or embed. */
export function unknownService(name: string, version: string): ServiceDescription {
  const predict = { definitions: {}, streams: "unknown" } as const;
  const maxRows = defaultMaxRows;
  return { name, version, api: "v1", predict, chat: true, complete: true, embed: true, maxRows };
}

/** Reads what a service says of itself at `/openapi.json`. `api`: one of its versions; without it, the newest. */
export function describeService(document: unknown, api?: string): ServiceDescription {
  const info = at(document, "info");
  const name = at(info, "title");
  const version = at(info, "version");
  const paths = at(document, "paths");
  const apis = keysOf(paths)
    .flatMap((path) => /^\/(v[1-9]\d{0,5})\/(?:predict|model)$/.exec(path)?.[1] ?? [])
    .filter((one, index, all) => all.indexOf(one) === index)
    .sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
  const chosen = api ?? apis.at(-1);
  if (typeof name !== "string" || typeof version !== "string" || chosen === undefined)
    throw new UserError("input", "What the service says of itself is not what a modelship service says.", {
      why: "Its /openapi.json names no service or no route /v1/predict or /v1/model.",
      hint: "Is it the address of another service?",
    });
  if (!apis.includes(chosen))
    throw new UserError("usage", `The service has no API version "${chosen}".`, {
      hint: `It has: ${apis.join(", ")}.`,
    });
  const predict = at(paths, `/${chosen}/predict`, "post");
  return {
    name: apis.length > 1 ? `${name}:${chosen}` : name,
    version,
    api: chosen,
    predict: predictOf(predict, at(document, "components", "schemas")),
    chat: at(paths, "/v1/chat/completions") !== undefined,
    complete: at(paths, "/v1/completions") !== undefined,
    embed: at(paths, "/v1/embeddings") !== undefined,
    maxRows: maxRowsOf(predict),
  };
}

/** A body is `{"rows": [...]}`, or that beside a single row, which comes first. */
function predictOf(operation: unknown, schemas: unknown): PredictDescription | undefined {
  if (operation === undefined) return undefined;
  const request = at(operation, "requestBody", "content", "application/json", "schema");
  const answers = at(operation, "responses", "200", "content");
  const answer = at(answers, "application/json", "schema");
  const streams = at(answers, "text/event-stream") !== undefined;
  const pieces = at(answer, "properties", "pieces", "items");
  return {
    types: { input: rowOf(request), output: streams ? pieces : rowOf(answer) },
    definitions: isObject(schemas) ? schemas : {},
    streams,
  };
}

/** With what only the card, `/v1/model`, says: the schema of a service without `predict` has no rows. */
export function withMaxRows(service: ServiceDescription, card: unknown): ServiceDescription {
  return { ...service, maxRows: countOf(at(card, "max_rows")) ?? service.maxRows };
}

function maxRowsOf(operation: unknown): number {
  const body = at(operation, "requestBody", "content", "application/json", "schema");
  const rows = at(body, "anyOf", "1") ?? body;
  return countOf(at(rows, "properties", "rows", "maxItems")) ?? defaultMaxRows;
}

function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : undefined;
}

function rowOf(schema: unknown): JsonSchema {
  return at(schema, "anyOf", "0") ?? at(schema, "properties", "rows", "items");
}

/** What lies at the end of a path, of own properties only; `undefined` where it ends before. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) found = isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined;
  return found;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function keysOf(value: unknown): string[] {
  return isObject(value) ? Object.keys(value) : [];
}
