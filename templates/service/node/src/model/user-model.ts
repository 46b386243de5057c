/** The user's class: found, imported, read and loaded. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { OutputError } from "../schema/schema.js";
import { ModelFailed } from "./failure.js";
import { together } from "./halving.js";
import type { Hosted } from "./hosted.js";
import type { Refusal, Reply, ThreadData } from "./orders.js";
import { Stated } from "./standard.js";

const expected =
  "export Input and Output, each a zod schema or a JSON Schema, beside class Model { load(files) {...} predict(rows) {...} }";

interface Model {
  load: (files: string) => unknown;
  predict: (input: unknown) => unknown;
  warmUp?: () => unknown;
}

type ModelClass = (new () => Model) & { input?: unknown; output?: unknown };

/** Throws ModelFailed. */
export async function hostUserModel(entry: string, { project, files }: ThreadData): Promise<Hosted> {
  const colon = entry.lastIndexOf(":");
  const [file, name] = [entry.slice(0, colon), entry.slice(colon + 1)];
  const module = await imported(file, name, project);
  const found = module[name];
  if (typeof found !== "function")
    throw new ModelFailed("import", `${file}: no class named ${name}: the entry is ${entry}`);
  const modelClass = found as ModelClass;
  const streams = /^(Async)?GeneratorFunction$/.test(modelClass.prototype?.predict?.constructor?.name ?? "");
  const [input, output] = [
    stated("input", modelClass.input ?? module.Input, file),
    stated("output", modelClass.output ?? module.Output, file),
  ];
  const model = await loaded(modelClass, files, file, project);
  return new UserModel(model, input, output, streams);
}

function stated(side: "input" | "output", given: unknown, file: string): Stated {
  const name = side === "input" ? "Input" : "Output";
  if (given === undefined) throw new ModelFailed("schema", `${file}: there is no ${name}: ${expected}`);
  return new Stated(given, side, `${file}: ${name}`);
}

async function imported(file: string, name: string, project: string): Promise<Record<string, unknown>> {
  const path = resolve(project, file);
  if (!existsSync(path)) {
    const message = `${file} is not there: the entry is ${file}:${name}, looked for in ${project}`;
    throw new ModelFailed("import", message);
  }
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_UNKNOWN_FILE_EXTENSION") {
      const message = `${file}: Node ${process.versions.node} does not run TypeScript: use Node 22.18 or later, or JavaScript`;
      throw new ModelFailed("import", message);
    }
    throw ModelFailed.from("import", error, project);
  }
}

async function loaded(modelClass: ModelClass, files: string, file: string, project: string): Promise<Model> {
  for (const method of ["load", "predict"]) {
    if (typeof modelClass.prototype?.[method] !== "function")
      throw new ModelFailed(
        "schema",
        `${file}: class ${modelClass.name} has no ${method} method: ${expected}`,
      );
  }
  if (!existsSync(files)) {
    const message = `the model files are not there: ${files} (is the image started without its weights?)`;
    throw new ModelFailed("load", message);
  }
  let stage: "load" | "warm_up" = "load";
  try {
    const model = new modelClass();
    await model.load(files);
    stage = "warm_up";
    await model.warmUp?.();
    return model;
  } catch (error) {
    throw ModelFailed.from(stage, error, project);
  }
}

/** The user's own checks refuse a row of a stream. */
export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super("refused");
    this.refusal = refusal;
  }
}

class UserModel implements Hosted {
  readonly description: Hosted["description"];
  readonly #model: Model;
  readonly #input: Stated;
  readonly #output: Stated;

  constructor(model: Model, input: Stated, output: Stated, streams: boolean) {
    this.#model = model;
    this.#input = input;
    this.#output = output;
    this.description = {
      kind: "rows",
      input: { title: "Input", ...input.schema },
      output: { title: "Output", ...output.schema },
      streams,
      defaults: input.plain,
    };
  }

  async predict(parts: readonly unknown[]): Promise<Reply[]> {
    const read = await Promise.all(parts.map((part) => this.#read(part as unknown[])));
    const good = read.flatMap((one) => (Array.isArray(one) ? [one] : []));
    const replies = await together(good, (some) => this.#call(some));
    return read.map((one) => (Array.isArray(one) ? (replies.shift() as Reply) : one));
  }

  async *stream(row: unknown): AsyncGenerator<string> {
    const read = await this.#read([row]);
    if (!Array.isArray(read)) throw new Refused(read);
    const pieces = this.#model.predict(read[0]) as AsyncIterable<unknown> | Iterable<unknown>;
    for await (const piece of pieces) yield await this.#output.write(piece, 0);
  }

  async #read(rows: readonly unknown[]): Promise<unknown[] | Refusal> {
    const values: unknown[] = [];
    const broken: Refusal["broken"] = [];
    for (const [row, value] of rows.entries()) {
      const read = await this.#input.read(value);
      if ("broken" in read) broken.push(...read.broken.map((detail) => ({ ...detail, row })));
      else values.push(read.value);
    }
    return broken.length > 0 ? { kind: "refused", broken: broken.slice(0, 20) } : values;
  }

  async #call(parts: readonly unknown[][]): Promise<Reply[]> {
    const rows = parts.flat();
    const outputs = await this.#model.predict(rows);
    if (!Array.isArray(outputs))
      throw new OutputError(`predict returned ${typeof outputs}, and an array is expected`);
    if (outputs.length !== rows.length)
      throw new OutputError(`predict returned ${outputs.length} outputs for ${rows.length} rows`);
    const texts = await Promise.all(outputs.map((one, row) => this.#output.write(one, row)));
    return parts.map((part) => ({ kind: "outputs", outputs: texts.splice(0, part.length) }));
  }
}
