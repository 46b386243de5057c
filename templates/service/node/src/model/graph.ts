/** The schema of an ONNX graph, from what onnxruntime says of its inputs and outputs. */
import type { ArraySpec, Description } from "../schema/schema.js";
import { datatypeOfOnnx } from "../schema/tensor.js";

/** Each of `shape` is a length or a name, which may be empty. */
export type Node =
  | { name: string; isTensor: true; type: string; shape: readonly (number | string)[] }
  | { name: string; isTensor: false };

type TensorNode = Extract<Node, { isTensor: true }>;

const advice = "write a model.ts that runs the graph, and say there what it takes and gives";

/** The batch is the first dimension; where that is fixed to 1, a request has one row. Throws when it cannot be served. */
export function describeGraph(inputs: readonly Node[], outputs: readonly Node[]): Description {
  if (inputs.length === 0 || outputs.length === 0) throw new Error("the graph has no inputs or no outputs");
  const taken = inputs.map((node) => tensorNode(node, "input"));
  const given = outputs.map((node) => tensorNode(node, "output"));
  const firsts = taken.map((node) => firstOf(node, "input"));
  // The name of the batch says nothing: converters give outputs another, or none.
  const batches = new Set(firsts.filter((length) => typeof length === "string"));
  const alone = firsts.some((length) => length === 1);
  for (const node of given) {
    if (firstOf(node, "output") === 1 && !alone) {
      throw new Error(
        `the output ${node.name} has 1 as its first dimension, and the inputs have a free one: export the model with a dynamic first dimension, or with a fixed one of 1`,
      );
    }
  }
  return {
    kind: "arrays",
    inputs: taken.map((node) => specOf(node, "input", batches)),
    outputs: given.map((node) => specOf(node, "output", batches)),
    batch: alone ? 1 : -1,
  };
}

function tensorNode(node: Node, what: string): TensorNode {
  if (node.isTensor) return node;
  throw new Error(
    `the ${what} ${node.name} is no tensor, which onnxruntime-node cannot give: export it as one (scikit-learn's converter: options={"zipmap": False})`,
  );
}

function firstOf({ name, shape }: TensorNode, what: string): number | string {
  const [length] = shape;
  if (length === undefined)
    throw new Error(
      `the ${what} ${name} has no dimension for the batch, or its shape is not in the file: ${advice}`,
    );
  if (typeof length === "number" && length !== 1) {
    throw new Error(
      `the ${what} ${name} has ${length} as its first dimension, which is the batch: export the model with a dynamic first dimension`,
    );
  }
  return length;
}

function specOf({ name, type, shape }: TensorNode, what: string, batches: ReadonlySet<unknown>): ArraySpec {
  const datatype = datatypeOfOnnx(type);
  if (datatype === undefined)
    throw new Error(`the ${what} ${name} is ${type}, which is no tensor that can be sent: ${advice}`);
  const dims = shape.slice(1).map((dim) => {
    if (typeof dim === "number") return dim;
    return dim === "" || batches.has(dim) ? "_" : dim;
  });
  return { name, datatype, dims };
}
