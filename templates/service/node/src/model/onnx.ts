/** A model without code: one ONNX graph, which says itself what it takes and gives. */
import { readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Description, type Inputs, OutputError } from "../schema/schema.js";
import { concat, numericOf, onnxTypeOf, slice, type Tensor, type Tensors } from "../schema/tensor.js";
import { ModelFailed } from "./failure.js";
import { describeGraph, type Node } from "./graph.js";
import { together } from "./halving.js";
import type { Hosted } from "./hosted.js";
import type { Reply, ThreadData } from "./orders.js";

interface OnnxTensor {
  data: ArrayLike<unknown> & { buffer: ArrayBuffer; byteOffset: number; length: number };
  dims: readonly number[];
}

interface Session {
  inputMetadata: readonly Node[];
  outputMetadata: readonly Node[];
  run: (feeds: Record<string, unknown>) => Promise<Record<string, OnnxTensor>>;
}

/** What is used of the package onnxruntime-node, which the project brings. */
interface OnnxRuntime {
  InferenceSession: { create: (path: string, options: object) => Promise<Session> };
  Tensor: new (type: string, data: Tensor["data"], dims: readonly number[]) => unknown;
}

/** Throws ModelFailed. */
export async function hostOnnx({ project, files, threads }: ThreadData): Promise<Hosted> {
  const path = findOnnx(files);
  const name = path.split("/").at(-1) as string;
  const runtime = runtimeOf(project, name);
  let session: Session;
  try {
    session = await runtime.InferenceSession.create(path, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
    });
  } catch (error) {
    throw new ModelFailed("load", `${name}: ${(error as Error).message.split("\n", 1)[0]}`);
  }
  try {
    return new OnnxModel(runtime, session, describeGraph(session.inputMetadata, session.outputMetadata));
  } catch (problem) {
    throw new ModelFailed("schema", `${name}: ${(problem as Error).message}`);
  }
}

function runtimeOf(project: string, name: string): OnnxRuntime {
  try {
    return createRequire(join(project, "package.json"))("onnxruntime-node");
  } catch (error) {
    const reason = (error as Error).message.split("\n", 1)[0];
    const message = `${name} needs the package onnxruntime-node in the project's package.json: ${reason}`;
    throw new ModelFailed("load", message);
  }
}

export function findOnnx(files: string): string {
  const status = statSync(files, { throwIfNoEntry: false });
  if (status?.isFile()) return files;
  if (!status) {
    const message = `the model files are not there: ${files} (is the image started without its weights?)`;
    throw new ModelFailed("load", message);
  }
  const found = readdirSync(files, { recursive: true, encoding: "utf8" })
    .filter(
      (path) => path.endsWith(".onnx") && !/(^|\/)\./.test(path) && statSync(join(files, path)).isFile(),
    )
    .sort();
  if (found.length === 1) return join(files, found[0] as string);
  if (found.length === 0)
    throw new ModelFailed("load", `no .onnx file in ${files}, and no model.ts to say what else is served`);
  throw new ModelFailed(
    "load",
    `${found.length} .onnx files in ${files} (${found.slice(0, 5).join(", ")}): keep one, or write a model.ts that uses them`,
  );
}

class OnnxModel implements Hosted {
  readonly description: Description & { kind: "arrays" };
  readonly #runtime: OnnxRuntime;
  readonly #session: Session;

  constructor(runtime: OnnxRuntime, session: Session, description: Description) {
    this.#runtime = runtime;
    this.#session = session;
    this.description = description as Description & { kind: "arrays" };
  }

  predict(parts: readonly Inputs[]): Promise<Reply[]> {
    return together(parts as Tensors[], (some) => this.#call(some));
  }

  async #call(parts: readonly Tensors[]): Promise<Reply[]> {
    const { inputs, outputs } = this.description;
    const feeds: Record<string, unknown> = {};
    for (const { name } of inputs) {
      const tensor = concat(parts.map((part) => part[name] as Tensor));
      if (!tensor) throw new OutputError(`${name} has rows of different shapes`);
      feeds[name] = new this.#runtime.Tensor(onnxTypeOf(tensor.datatype), tensor.data, tensor.shape);
    }
    const counts = parts.map((part) => part[inputs[0]?.name as string]?.shape[0] ?? 0);
    const rows = counts.reduce((sum, one) => sum + one, 0);
    const results = await this.#session.run(feeds);
    const whole: Tensors = {};
    for (const { name, datatype, dims } of outputs)
      whole[name] = promised(name, datatype, dims.length, rows, results[name] as OnnxTensor);
    let start = 0;
    return counts.map((count) => {
      const share = Object.entries(whole).map(([name, one]) => [name, slice(one, start, start + count)]);
      start += count;
      return { kind: "outputs", outputs: Object.fromEntries(share) as Tensors };
    });
  }
}

/** What the graph gave, when it is what it promises. */
function promised(
  name: string,
  datatype: string,
  rank: number,
  rows: number,
  { data, dims }: OnnxTensor,
): Tensor {
  const shape = [...dims];
  if (shape.length !== rank + 1)
    throw new OutputError(
      `the model returned ${name} with ${shape.length} dimensions, and ${rank + 1} are promised`,
    );
  if (shape[0] !== rows)
    throw new OutputError(`the model returned ${shape[0]} rows of ${name} for ${rows} rows`);
  const kind = numericOf(datatype);
  if (!kind) return { datatype, shape, data: Array.from(data as ArrayLike<string>) };
  // Newer versions of Node have an array of their own for FP16; its bits are what counts here.
  const { buffer, byteOffset, length } = data;
  return {
    datatype,
    shape,
    data: new (kind.array as unknown as Uint8ArrayConstructor)(buffer, byteOffset, length),
  };
}
