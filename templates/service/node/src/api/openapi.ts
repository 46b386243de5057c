/** The OpenAPI document, from the model's schemas. */
import type { JsonSchema, Schema } from "../schema/schema.js";
import type { Served } from "../service.js";
import type { Settings } from "../settings.js";

const predictErrors: Readonly<Record<number, string>> = {
  400: "The body is not JSON.",
  401: "An API key is needed.",
  403: "The API key may not do this.",
  408: "The body did not arrive in time.",
  413: "The body is too large.",
  415: "The body has a type or an encoding that is not supported.",
  422: "The input breaks a rule of its schema; `details` names the path and the rule.",
  429: "A limit of the key, or too many rows are waiting; `Retry-After` says for how long.",
  500: "The model failed.",
  503: "The model is not ready.",
  504: "The model took too long.",
};
const keyErrors = only([401, 403, 429]);
const notReady = { 503: predictErrors[503] as string };
const place = "#/components/schemas/";

/** One document for all API versions, which the routes keep to. `keys`: requests need one. */
export function openapi({ name, version }: Settings, served: readonly Served[], keys: boolean): string {
  const definitions = new Definitions();
  const models = served.map((one) => ({
    ...one,
    input: definitions.adopt(one.schema.input, "Input", one.api),
    output: definitions.adopt(one.schema.output, "Output", one.api),
  }));
  const operations = new Operations(definitions.own("Error", errorSchema));
  const own = { model: definitions.own("Model", modelSchema), job: definitions.own("Job", jobSchema) };
  const paths = Object.assign(
    {},
    ...models.map((one) => operations.ofVersion(one, own)),
    operations.ofService(),
  );
  const securitySchemes = {
    bearer: { type: "http", scheme: "bearer" },
    key: { type: "apiKey", in: "header", name: "X-API-Key" },
  };
  return JSON.stringify({
    openapi: "3.1.0",
    info: { title: name, version },
    paths,
    components: { schemas: definitions.all, ...(keys && { securitySchemes }) },
    ...(keys && { security: [{ bearer: [] }, { key: [] }] }),
  });
}

function only(statuses: readonly number[]): Record<number, string> {
  return Object.fromEntries(statuses.map((status) => [status, predictErrors[status] as string]));
}

/** Under `components`: the user's schemas and ours, each by one name. */
class Definitions {
  readonly all: Record<string, JsonSchema> = {};

  /** Takes over a schema with all that it defines; its references are made to fit. */
  adopt(schema: JsonSchema, otherwise: string, api: string): JsonSchema {
    const { $schema, $id, $defs, definitions, ...root } = schema;
    const title =
      typeof root.title === "string" && /^[A-Za-z][\w.-]*$/.test(root.title) ? root.title : otherwise;
    const parts = { ...(definitions as object), ...($defs as object) } as Record<string, JsonSchema>;
    const names = new Map(Object.keys(parts).map((name) => [name, this.#free(name, parts[name], api)]));
    const rootName = this.#free(title, root, api, new Set(names.values()));
    const fit = (node: unknown): unknown => {
      if (Array.isArray(node)) return node.map(fit);
      if (typeof node !== "object" || node === null) return node;
      return Object.fromEntries(
        Object.entries(node).map(([key, value]) => {
          if (key !== "$ref" || typeof value !== "string") return [key, fit(value)];
          const part = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(value)?.[1];
          const name = value === "#" ? rootName : part && names.get(part);
          return [key, name ? place + name : value];
        }),
      );
    };
    for (const [name, part] of Object.entries(parts))
      this.all[names.get(name) as string] = fit(part) as JsonSchema;
    this.all[rootName] = fit(root) as JsonSchema;
    return { $ref: place + rootName };
  }

  /** A definition of ours, under a name that no schema of the user's has. */
  own(name: string, schema: JsonSchema): JsonSchema {
    const free = this.#free(name, schema, "", new Set(), "Service");
    this.all[free] = schema;
    return { $ref: place + free };
  }

  #free(wanted: string, schema: unknown, api: string, taken = new Set<string>(), before = ""): string {
    const same = JSON.stringify(schema);
    let name = wanted;
    for (
      let count = 1;
      (name in this.all && JSON.stringify(this.all[name]) !== same) || taken.has(name);
      count += 1
    )
      name = `${before}${wanted}${api.toUpperCase()}${count > 1 ? count : ""}`;
    return name;
  }
}

interface VersionModel extends Served {
  input: JsonSchema;
  output: JsonSchema;
}

class Operations {
  readonly #error: object;

  constructor(error: JsonSchema) {
    this.#error = { "application/json": { schema: error } };
  }

  ofVersion(
    { api, schema, example, input, output }: VersionModel,
    own: { model: JsonSchema; job: JsonSchema },
  ) {
    const body = {
      schema: oneOrMany(schema, input, true),
      ...(example.shown !== null && { example: example.shown }),
    };
    const requestBody = { required: true, content: { "application/json": body } };
    const pieces = { type: "array", items: output };
    const success = schema.streams
      ? {
          "text/event-stream": { schema: { type: "string" } },
          "application/json": { schema: { type: "object", required: ["pieces"], properties: { pieces } } },
        }
      : { "application/json": { schema: oneOrMany(schema, output, false) } };
    const job = { "application/json": { schema: own.job } };
    const gone = { ...keyErrors, 404: "There is no such job, or no more." };
    const id = { name: "id", in: "path", required: true, schema: { type: "string" } };
    return {
      [`/${api}/predict`]: {
        post: {
          summary: 'Predict for one row, or for many as {"rows": [...]}.',
          operationId: `predict_${api}`,
          requestBody,
          responses: this.#answers(
            200,
            "One output for one row; for many, as many in the same order.",
            success,
            predictErrors,
          ),
        },
      },
      [`/${api}/model`]: this.#get("What is served.", "Name, version and schemas.", own.model, {
        ...keyErrors,
        ...notReady,
      }),
      [`/${api}/jobs`]: {
        post: {
          summary: "Predict without waiting for it.",
          operationId: `start_job_${api}`,
          requestBody,
          responses: this.#answers(202, "The job, which is waiting.", job, {
            ...only([400, 401, 403, 408, 413, 415, 422, 429, 503]),
          }),
        },
      },
      [`/${api}/jobs/{id}`]: {
        parameters: [id],
        get: {
          summary: "How a job stands, and its result.",
          operationId: `job_${api}`,
          responses: this.#answers(200, "The job.", job, gone),
        },
        delete: {
          summary: "Cancel a job, or forget its result.",
          operationId: `end_job_${api}`,
          responses: this.#answers(200, "The job as it was left.", job, gone),
        },
      },
    };
  }

  ofService() {
    const any = { type: "object" };
    const open = (summary: string, success: string, errors: Record<number, string>) => {
      const { get } = this.#get(summary, success, any, errors);
      return { get: { ...get, security: [] } };
    };
    return {
      "/openapi.json": this.#get("This document.", "An OpenAPI document.", any, {
        ...keyErrors,
        ...notReady,
      }),
      "/healthz": open("Is the process alive?", "It is.", {}),
      "/startupz": open("Is loading over?", "It is.", notReady),
      "/readyz": open("Can it predict?", "It can.", notReady),
    };
  }

  #get(summary: string, success: string, schema: JsonSchema, errors: Record<number, string>) {
    const content = { "application/json": { schema } };
    return { get: { summary, responses: this.#answers(200, success, content, errors) } };
  }

  #answers(status: number, description: string, content: object, errors: Readonly<Record<number, string>>) {
    const wrong = Object.entries(errors).map(([code, text]) => [
      code,
      { description: text, content: this.#error },
    ]);
    return { [status]: { description, content }, ...Object.fromEntries(wrong) };
  }
}

function oneOrMany({ maxRows, envelopeOnly }: Schema, ref: JsonSchema, limits: boolean): JsonSchema {
  const rows = { type: "array", items: ref, ...(limits && { minItems: 1, maxItems: maxRows }) };
  const many = { type: "object", required: ["rows"], properties: { rows } };
  return envelopeOnly ? many : { anyOf: [ref, many] };
}

const text = { type: "string" };

const errorSchema: JsonSchema = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message", "request_id"],
      properties: {
        code: text,
        message: text,
        details: {
          type: "array",
          items: {
            type: "object",
            required: ["path", "rule", "type"],
            properties: { path: text, rule: text, type: text },
          },
        },
        request_id: text,
      },
    },
  },
};

const objects = (description: string) => ({ type: "array", items: { type: "object" }, description });

const modelSchema: JsonSchema = {
  type: "object",
  required: ["name", "version", "api", "kind", "input", "output", "max_rows"],
  properties: {
    name: text,
    version: text,
    api: text,
    kind: { enum: ["rows", "arrays"] },
    image_digest: { type: ["string", "null"] },
    methods: { type: "array", items: text },
    streams: { type: "boolean" },
    input: { type: "object", description: "JSON Schema of one input row." },
    output: { type: "object", description: "JSON Schema of one output row." },
    inputs: objects("The inputs as tensors."),
    outputs: objects("The outputs as tensors."),
    max_rows: { type: "integer" },
    files: objects("Model files with their SHA-256."),
    example: { description: "A request that works, or null." },
  },
};

const jobSchema: JsonSchema = {
  type: "object",
  required: ["id", "status", "created", "expires"],
  properties: {
    id: text,
    status: { enum: ["queued", "succeeded", "failed", "cancelled"] },
    created: { type: "string", format: "date-time" },
    expires: { type: ["string", "null"], format: "date-time" },
    result: { description: "What /predict would have answered; once it has succeeded." },
    error: { type: "object", description: "As in an error's answer; when it has failed." },
  },
};
