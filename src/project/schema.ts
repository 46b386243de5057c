import { z } from "zod";

/** The one definition of modelship.yaml: validation, defaults, `modelship config` and the editors' JSON Schema follow from it. */

const relativePath = z
  .string()
  .min(1)
  .regex(/^(?!\/)(?![A-Za-z]:)(?!.*(^|[\\/])\.\.([\\/]|$)).+$/, "must be a path inside the project folder");

const entry = String.raw`(?:onnx|[^:=,]+\.(?:py|ts|mts|js|mjs):[A-Za-z_]\w*)`;
const entries = new RegExp(String.raw`^(?:${entry}|v\d+=${entry}(?:,\s*v\d+=${entry})*)$`);

const model = z
  .strictObject({
    entry: z
      .string()
      .regex(entries, "must name a file and a class, such as model.py:Model, or be onnx")
      .default("model.py:Model")
      .describe(
        "The user's class: file.py:Class, or file.ts:Class with runtime node. onnx where the model's file needs no code. Several API versions: v1=old.py:Model,v2=model.py:Model.",
      ),
    files: relativePath.default("model/").describe("Folder or file with the weights that the class loads."),
  })
  .prefault({});

const service = z
  .strictObject({
    port: z.int().min(1).max(65535).default(8080).describe("Port inside the container."),
    auth: z
      .strictObject({
        keys_env: z
          .string()
          .regex(/^[A-Za-z_]\w*$/, "must be the name of an environment variable")
          .nullable()
          .default(null)
          .describe("Environment variable that holds the accepted API keys."),
        keys_file: relativePath
          .nullable()
          .default(null)
          .describe("File with the accepted API keys, as `modelship keys` writes it."),
      })
      .prefault({}),
    rate_limit: z
      .strictObject({
        requests: z.int().min(1).nullable().default(null).describe("Requests a key may send in each period."),
        per: z.enum(["second", "minute", "hour"]).default("minute"),
      })
      .prefault({}),
    max_concurrency: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .describe("Requests of one key that are answered at the same time."),
    batching: z
      .strictObject({
        max_rows: z.int().min(1).max(4096).default(32).describe("Rows that one call of predict may get."),
        max_delay_ms: z
          .number()
          .min(0)
          .max(10_000)
          .default(0)
          .describe("How long a row may wait for company."),
      })
      .prefault({}),
    workers: z
      .int()
      .min(1)
      .max(256)
      .default(1)
      .describe("Processes that run the model; 1 is a thread of the service's own process."),
    warm_up: z.boolean().default(true).describe("Ask the model for its example before the service is ready."),
    limits: z
      .strictObject({
        body_bytes: z.int().min(1).default(16_777_216).describe("Bytes of a body, as it is sent."),
        decoded_bytes: z.int().min(1).default(67_108_864).describe("Bytes of a body, decompressed."),
        rows: z.int().min(1).default(1024).describe("Rows of a request."),
        json_depth: z
          .int()
          .min(1)
          .max(500)
          .default(64)
          .describe("How deep the JSON of a request may be nested."),
        connections: z.int().min(1).default(4096).describe("Connections that are open at the same time."),
        streams: z.int().min(1).default(64).describe("Streams that are open at the same time."),
      })
      .prefault({}),
    jobs: z
      .strictObject({
        max: z.int().min(0).default(256).describe("Jobs that are kept, with their results."),
        keep_s: z.number().positive().max(86_400).default(3600).describe("How long a result is kept."),
        timeout_s: z.number().positive().max(86_400).default(3600).describe("Seconds a job may take."),
      })
      .prefault({}),
    cors: z
      .strictObject({
        origins: z
          .array(
            z
              .string()
              .regex(
                /^https?:\/\/[A-Za-z0-9.\-[\]:]+$/,
                "must be an exact origin, such as https://app.example.com",
              ),
          )
          .default([])
          .describe("Exact origins whose pages may call the service; none by default."),
      })
      .prefault({}),
    playground: z.boolean().default(true).describe("Serve the playground at / and the reference at /docs."),
    timeout_s: z.number().positive().max(3600).default(30).describe("Seconds a request may take."),
    queue: z
      .strictObject({
        max_rows: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(256)
          .describe("Rows that may wait; more are refused."),
      })
      .prefault({}),
  })
  .prefault({});

const image = z
  .strictObject({
    repository: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe("Where push sends it: ghcr.io/acme/digits."),
    base: z.string().min(1).nullable().default(null).describe("Base image; null lets modelship choose."),
    platforms: z
      .array(z.string().regex(/^[a-z0-9]+\/[a-z0-9]+(\/v\d+)?$/, "must look like linux/amd64"))
      .default([])
      .describe("Platforms to build for; empty means the engine's own."),
    ca_certs: z.string().min(1).nullable().default(null).describe("PEM file that dependency installs trust."),
    keep_ca_certs: z
      .boolean()
      .default(false)
      .describe("Leave that CA bundle in the image, for the service to trust."),
    profile: z
      .enum(["default", "edge"])
      .default("default")
      .describe("edge: the smallest image, without what only developers need."),
    cuda: z
      .string()
      .regex(
        /^(auto|none|\d+\.\d+|base|runtime|devel|\d+\.\d+-(base|runtime|devel))$/,
        "must be auto, none, a version such as 12.8, or base, runtime or devel",
      )
      .default("auto")
      .describe("CUDA of an image with accelerator: cuda; auto chooses what the requirements need."),
    torch_index: z
      .string()
      .regex(/^(auto|none|https?:\/\/[^\s'"@]+)$/, "must be auto, none, or an address without a password")
      .default("auto")
      .describe(
        "Where PyTorch comes from: PyTorch's own index for the CPU (auto), the usual one (none), or another.",
      ),
    compatibility: relativePath
      .nullable()
      .default(null)
      .describe("JSON file whose facts of CUDA, drivers and packages replace modelship's own."),
  })
  .prefault({});

export const projectSchema = z.strictObject({
  name: z
    .string()
    .max(63)
    .regex(/^[a-z0-9]+([._-][a-z0-9]+)*$/, "must be lower-case letters, digits and single . _ - between them")
    .describe("Name of the service and of its image."),
  version: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, "must be usable as an image tag: letters, digits, . _ -")
    .default("0.1.0")
    .describe("Version of the model; the image's tag."),
  runtime: z.enum(["python", "node"]).default("python").describe("What serves the model."),
  python: z
    .enum(["3.10", "3.11", "3.12", "3.13"])
    .default("3.12")
    .describe("Python of the image. Quote it: unquoted 3.10 is the number 3.1."),
  node: z.enum(["22", "24"]).default("22").describe("Node of the image, where runtime is node. Quote it."),
  model,
  requirements: relativePath
    .default("requirements.txt")
    .describe("requirements.txt, or pyproject.toml with uv.lock beside it."),
  system_packages: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?$/, "must be a Debian package name"))
    .default([])
    .describe("Debian packages that the model needs at run time."),
  accelerator: z.enum(["cpu", "cuda"]).default("cpu").describe("What the model computes on: cpu or cuda."),
  service,
  image,
});

export type ProjectConfig = z.output<typeof projectSchema>;

/** JSON Schema (draft 2020-12) of modelship.yaml, for editors; published in the package as modelship.schema.json. */
export function projectJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(projectSchema, { io: "input" });
  return {
    $schema,
    title: "modelship.yaml",
    description: "A modelship project: a trained model and how it becomes a service.",
    ...rest,
  };
}

/** One setting that is not itself a group: what `modelship config` lists and what MODELSHIP_* variables can set. */
export interface Setting {
  path: readonly string[];
  types: readonly string[];
  default: unknown;
  description?: string;
}

interface JsonSchemaNode {
  type?: string;
  properties?: Record<string, JsonSchemaNode>;
  anyOf?: JsonSchemaNode[];
  default?: unknown;
  description?: string;
}

/** All settings in the order of the schema. */
export function settings(): Setting[] {
  const walk = (node: JsonSchemaNode, path: readonly string[]): Setting[] => {
    if (node.properties) {
      return Object.entries(node.properties).flatMap(([key, child]) => walk(child, [...path, key]));
    }
    const types = (node.anyOf ?? [node]).map((option) => option.type ?? "string");
    return [
      { path, types, default: node.default, ...(node.description && { description: node.description }) },
    ];
  };
  return walk(z.toJSONSchema(projectSchema, { io: "input" }) as JsonSchemaNode, []);
}
