import type { DataType } from "./detected.js";
import {
  itemsOf,
  PickleDict,
  PickleGlobal,
  PickleObject,
  PicklePersistent,
  type PickleValue,
} from "./pickle-values.js";

/** PyTorch's tensors as they stand in pickles. */

export interface TorchTensor {
  name: string;
  dtype: DataType;
  shape: readonly number[];
  /** Where its numbers lie. */
  storage: string | undefined;
  /** Numbers in the storage, which several tensors can share. */
  storageSize: number | undefined;
}

const storages: Readonly<Record<string, DataType>> = {
  FloatStorage: "float32",
  DoubleStorage: "float64",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
};

const mostTensors = 20_000;
const deepest = 64;
const mostDimensions = 64;

/** `_rebuild_tensor_v2(storage, offset, shape, ...)`, also as the data of a parameter. */
export function tensorIn(value: PickleValue | undefined): Omit<TorchTensor, "name"> | undefined {
  if (!(value instanceof PickleObject)) return undefined;
  const args = itemsOf(value.args);
  const path = value.path ?? "";
  if (/^torch\._utils\._rebuild_parameter(_with_state)?$/.test(path)) {
    const inner = args?.[0];
    return inner instanceof PickleObject && inner.path !== path ? tensorIn(inner) : undefined;
  }
  if (!/^torch\._utils\._rebuild_tensor(_v[23])?$/.test(path)) return undefined;
  const shape = itemsOf(args?.[2]) ?? [];
  if (shape.length > mostDimensions || !shape.every(isSize)) return undefined;
  const reference = args?.[0];
  const id = reference instanceof PicklePersistent ? itemsOf(reference.id) : undefined;
  const [, type, key, , size] = id ?? [];
  return {
    dtype: (type instanceof PickleGlobal ? storages[type.name] : undefined) ?? "any",
    shape,
    storage: typeof key === "string" ? key : undefined,
    storageSize: isSize(size) ? size : undefined,
  };
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The entries of a dict or of an OrderedDict. */
export function entriesOf(value: PickleValue | undefined): readonly [PickleValue, PickleValue][] | undefined {
  if (value instanceof PickleDict) return value.pairs;
  if (value instanceof PickleObject && value.path === "collections.OrderedDict")
    return value.dict?.pairs ?? [];
  return undefined;
}

/** The tensors of a state dict; `undefined` if there is anything else in it but a few numbers. */
export function stateDictIn(value: PickleValue | undefined): TorchTensor[] | undefined {
  const entries = entriesOf(value);
  if (entries === undefined) return undefined;
  const tensors: TorchTensor[] = [];
  let others = 0;
  for (const [name, item] of entries) {
    if (typeof name !== "string") return undefined;
    const tensor = tensorIn(item);
    if (tensor && tensors.length < mostTensors) tensors.push({ name, ...tensor });
    else if (!tensor) others++;
  }
  return tensors.length > 0 && others <= tensors.length ? tensors : undefined;
}

/** The parameters and buffers of a pickled `nn.Module`, by the names that its state dict would have. */
export function moduleTensors(value: PickleValue | undefined): TorchTensor[] {
  const tensors: TorchTensor[] = [];
  const seen = new Set<PickleValue>();
  const visit = (module: PickleValue, prefix: string, depth: number): void => {
    if (!(module instanceof PickleObject) || depth > deepest || seen.has(module)) return;
    seen.add(module);
    for (const kind of ["_parameters", "_buffers"]) {
      for (const [name, item] of entriesOf(module.attribute(kind)) ?? []) {
        const tensor = tensorIn(item);
        if (tensor && tensors.length < mostTensors)
          tensors.push({ name: `${prefix}${String(name)}`, ...tensor });
      }
    }
    for (const [name, item] of entriesOf(module.attribute("_modules")) ?? []) {
      visit(item, `${prefix}${String(name)}.`, depth + 1);
    }
  };
  if (value !== undefined) visit(value, "", 0);
  return tensors;
}

export function isModule(value: PickleValue | undefined): value is PickleObject {
  return value instanceof PickleObject && entriesOf(value.attribute("_modules")) !== undefined;
}

export function parametersOf(tensors: readonly TorchTensor[]): number {
  const elements = tensors.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  return elements.reduce((sum, count) => sum + count, 0);
}

/** `hidden.weight [8, 4]`: what a person needs to write the class of the network. */
export function tensorLines(tensors: readonly TorchTensor[]): string[] {
  return tensors.slice(0, 50).map(({ name, shape }) => `${name} [${shape.join(", ")}]`);
}
