/** Rows against a JSON Schema; what is wrong is told as path and rule, in plain words, and nothing of the input itself. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import type { Detail } from "../errors.js";
import type { JsonSchema } from "./schema.js";

const shown = 20;

export class RowRules {
  readonly #validate: ValidateFunction;
  readonly #names: ReadonlySet<string>;

  /** `defaults`: fields that are left out get the schema's default. Throws when it is no JSON Schema. */
  constructor(schema: JsonSchema, defaults: boolean) {
    const ajv = new Ajv2020({
      strict: false,
      strictNumbers: true,
      // `format` says something to readers of the schema; 2020-12 checks nothing by it.
      validateFormats: false,
      useDefaults: defaults,
      verbose: true,
      logger: false,
    });
    const { $id, $schema, ...rest } = schema;
    this.#validate = ajv.compile(rest);
    this.#names = propertyNames(schema);
  }

  /** The first broken rule of each row, 20 at most; empty when all are right. `place` names a row. */
  broken(rows: readonly unknown[], place: (index: number) => string): Detail[] {
    const found: Detail[] = [];
    for (let index = 0; index < rows.length && found.length < shown; index += 1) {
      if (this.#validate(rows[index])) continue;
      const errors = this.#validate.errors ?? [];
      // Alternatives are told last, after what is wrong with each of them.
      const error = errors.at(-1) as ErrorObject;
      found.push({ path: this.#path(place(index), error), ...ruleOf(error) });
    }
    return found;
  }

  /** A name that is not of the schema came with the request, so it is shown as `*`. */
  #path(start: string, error: ErrorObject): string {
    const steps = error.instancePath
      .split("/")
      .slice(1)
      .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const { missingProperty, additionalProperty } = error.params as Record<string, unknown>;
    if (typeof missingProperty === "string") steps.push(missingProperty);
    if (additionalProperty !== undefined) steps.push("*");
    return pathOf(start, steps, this.#names);
  }
}

/** `names` are those that the schema knows. */
export function pathOf(
  start: string,
  steps: readonly (string | number)[],
  names: ReadonlySet<string>,
): string {
  let path = start;
  for (const step of steps) {
    if (typeof step === "number" || (/^\d+$/.test(step) && !names.has(step))) path += `[${step}]`;
    else path += `${path === "" ? "" : "."}${names.has(step) ? step : "*"}`;
  }
  return path === "" ? "body" : path;
}

export function propertyNames(schema: unknown, found = new Set<string>()): Set<string> {
  if (typeof schema !== "object" || schema === null) return found;
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties" && typeof value === "object" && value !== null)
      for (const name of Object.keys(value)) found.add(name);
    if (key === "required" && Array.isArray(value)) for (const name of value) found.add(String(name));
    propertyNames(value, found);
  }
  return found;
}

const types: Readonly<Record<string, { rule: string; type: string }>> = {
  number: { rule: "must be a number", type: "float_type" },
  integer: { rule: "must be a whole number", type: "int_type" },
  boolean: { rule: "must be true or false", type: "bool_type" },
  string: { rule: "must be a string", type: "string_type" },
  array: { rule: "must be a list", type: "list_type" },
  object: { rule: "must be an object", type: "model_type" },
  null: { rule: "must be null", type: "none_required" },
};

function ruleOf({ keyword, params, schema, data, message }: ErrorObject): { rule: string; type: string } {
  const limit = params.limit as number;
  const items = `${limit} ${limit === 1 ? "item is" : "items are"}`;
  switch (keyword) {
    case "required":
      return { rule: "a value is needed", type: "missing" };
    case "minItems":
      return { rule: `at least ${items} needed`, type: "too_short" };
    case "maxItems":
      return { rule: `at most ${items} allowed`, type: "too_long" };
    case "minLength":
      return { rule: `at least ${limit} characters are needed`, type: "string_too_short" };
    case "maxLength":
      return { rule: `at most ${limit} characters are allowed`, type: "string_too_long" };
    case "minimum":
      return { rule: `must be ${limit} or more`, type: "greater_than_equal" };
    case "maximum":
      return { rule: `must be ${limit} or less`, type: "less_than_equal" };
    case "exclusiveMinimum":
      return { rule: `must be more than ${limit}`, type: "greater_than" };
    case "exclusiveMaximum":
      return { rule: `must be less than ${limit}`, type: "less_than" };
    case "multipleOf":
      return { rule: `must be a multiple of ${params.multipleOf}`, type: "multiple_of" };
    case "pattern":
      return { rule: `must match ${params.pattern}`, type: "string_pattern_mismatch" };
    case "enum":
      return { rule: `must be one of ${choices(schema)}`, type: "literal_error" };
    case "const":
      return { rule: `must be ${JSON.stringify(schema)}`, type: "literal_error" };
    case "additionalProperties":
    case "unevaluatedProperties":
      return { rule: "a field that the model does not take", type: "extra_forbidden" };
    case "type":
      if (typeof data === "number" && !Number.isFinite(data))
        return { rule: "must be a finite number", type: "finite_number" };
      if (typeof params.type === "string") return types[params.type] ?? other(message);
      return { rule: `must be one of: ${String(params.type).replaceAll(",", ", ")}`, type: "wrong_type" };
    case "anyOf":
    case "oneOf":
      return { rule: "must be one of the forms that the schema lists", type: "union_type" };
    default:
      return other(message);
  }
}

/** ajv's own words name the schema's terms, never values. */
function other(message = "breaks a rule of the schema"): { rule: string; type: string } {
  return { rule: message, type: "schema" };
}

function choices(schema: unknown): string {
  const values = (Array.isArray(schema) ? schema : [schema]).map((one) =>
    typeof one === "string" ? `'${one}'` : JSON.stringify(one),
  );
  const last = values.pop();
  return values.length > 0 ? `${values.join(", ")} or ${last}` : String(last);
}
