import type { Estimator, Fact } from "./estimator.js";
import { listOf, scalar } from "./numpy-values.js";
import { itemsOf, PickleGlobal, PickleObject, type PickleValue } from "./pickle-values.js";

/** More steps than any pipeline has. */
const mostItems = 1000;

/** The class of an instance. `undefined` for the results of functions. */
export function classOf(value: PickleValue | undefined): PickleGlobal | undefined {
  if (!(value instanceof PickleObject) || !(value.callee instanceof PickleGlobal)) return undefined;
  const { callee } = value;
  // Protocols 0 and 1 make every instance with one function
  if (/^(copyreg|copy_reg)\._reconstructor$/.test(callee.path)) {
    const made = itemsOf(value.args)?.[0];
    return made instanceof PickleGlobal ? made : undefined;
  }
  return /^_*[A-Z]/.test(callee.name) ? callee : undefined;
}

/** An instance in a pickle, seen as an estimator. */
export function pickledEstimator(value: PickleValue | undefined): Estimator | undefined {
  const type = classOf(value);
  if (!type || !(value instanceof PickleObject)) return undefined;
  return { module: type.module, name: type.name, get: (attribute) => factOf(value.attribute(attribute), 0) };
}

function factOf(value: PickleValue | undefined, depth: number): Fact {
  if (value === null || value === undefined) return value;
  const plain = scalar(value) ?? listOf(value);
  if (plain !== undefined) return plain;
  const items = itemsOf(value);
  if (items) {
    return depth < 3 && items.length <= mostItems ? items.map((item) => factOf(item, depth + 1)) : undefined;
  }
  return pickledEstimator(value);
}
