import type { DataType } from "./detected.js";

const names: Readonly<Record<string, DataType>> = {
  bool: "bool",
  boolean: "bool",
  int8: "int8",
  int16: "int16",
  int32: "int32",
  int64: "int64",
  uint8: "uint8",
  uint16: "uint16",
  uint32: "uint32",
  uint64: "uint64",
  float16: "float16",
  bfloat16: "bfloat16",
  float32: "float32",
  float64: "float64",
  str: "string",
  string: "string",
  // MLflow's
  integer: "int32",
  long: "int64",
  float: "float32",
  double: "float64",
};

/** From the name that NumPy, TensorFlow, Keras or MLflow give it. */
export function dataTypeOf(name: string): DataType {
  return (Object.hasOwn(names, name) ? names[name] : undefined) ?? "any";
}
