/** The answer to an inference request: outputs as JSON, as bytes, or some of each. */
import type { Header } from "../../errors.js";
import type { Answer } from "../../http/answer.js";
import { OutputError } from "../../schema/schema.js";
import { firstNotFinite, type Tensor, type Tensors, textOf } from "../../schema/tensor.js";
import type { Asked } from "./asked.js";
import { lengthHeader, padded, writeTensor } from "./binary.js";

/** Throws OutputError. */
export function answerOf(tensors: Tensors, { outputs, id }: Asked, head: object): Answer {
  const parts: Buffer[] = [];
  const shown = [...outputs].map(([name, asBytes]) => {
    const tensor = tensors[name] as Tensor;
    const about = JSON.stringify({ name, datatype: tensor.datatype, shape: tensor.shape }).slice(0, -1);
    if (!asBytes) return `${about},"data":${listed(name, tensor)}}`;
    const bytes = writeTensor(tensor);
    parts.push(bytes);
    return `${about},"parameters":{"binary_data_size":${bytes.length}}}`;
  });
  const begin = JSON.stringify({ ...head, ...(id !== undefined && { id }) }).slice(0, -1);
  const text = `${begin},"outputs":[${shown.join(",")}]}`;
  if (parts.length === 0) return { status: 200, body: text };
  const json = padded(text);
  const headers: Header[] = [[lengthHeader, `${json.length}`]];
  return { status: 200, body: Buffer.concat([json, ...parts]), headers, type: "application/octet-stream" };
}

/** Flat, in row-major order. */
function listed(name: string, tensor: Tensor): string {
  if (firstNotFinite(tensor) !== undefined)
    throw new OutputError(
      `the model returned ${name} with a number that is not finite, which JSON cannot hold`,
    );
  return `[${Array.from(tensor.data as ArrayLike<unknown>, (_, index) => textOf(tensor, index)).join(",")}]`;
}
