// JSON Schema as the service writes it: references followed, constraints in words, a first value.

/** A property that the object has itself: names such as `constructor` are the model's to use. */
export const own = (object, name) =>
  isObject(object) && Object.hasOwn(object, name) ? object[name] : undefined;

export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

export function put(object, name, value) {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

/** The schema behind references and wrappers; `nullable` when null is one of two choices. */
export function resolve(schema, root, depth = 0) {
  if (!isObject(schema) || depth > 16) return {};
  const { $ref, allOf, ...rest } = schema;
  if (typeof $ref === "string") return { ...resolve(pointed($ref, root), root, depth + 1), ...rest };
  if (allOf?.length === 1) return { ...resolve(allOf[0], root, depth + 1), ...rest };
  const choices = rest.anyOf ?? rest.oneOf;
  const others = choices?.filter((choice) => choice?.type !== "null");
  if (choices && others.length === 1) {
    const { anyOf, oneOf, ...outside } = rest;
    return { ...resolve(others[0], root, depth + 1), ...outside, nullable: others.length < choices.length };
  }
  if (Array.isArray(rest.type) && rest.type.length === 2 && rest.type.includes("null"))
    return { ...rest, type: rest.type.find((type) => type !== "null"), nullable: true };
  return schema;
}

function pointed(reference, root) {
  const parts = reference.startsWith("#/") ? reference.slice(2).split("/") : [];
  return parts
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((at, part) => own(at, part), root);
}

/** How a field is best filled in. */
export function kindOf(schema, root, depth = 0) {
  if (schema.enum || schema.const !== undefined) return "choice";
  if (schema.type === "boolean") return "flag";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "string") return isBase64(schema) ? "file" : "text";
  if (schema.type === "object" && isObject(schema.properties) && depth < 4) return "group";
  if (schema.type === "array" && !schema.prefixItems) {
    const items = resolve(schema.items, root);
    if (items.type === "number" || items.type === "integer") return "numbers";
    if (items.type === "string" && !items.enum) return "lines";
  }
  return "json";
}

export const isBase64 = (schema) =>
  schema.contentEncoding === "base64" ||
  ["base64", "binary", "byte"].includes(schema.format) ||
  /^image\//.test(schema.contentMediaType ?? "");

/** The sizes of nested lists of fixed length, such as [3, 224, 224]; undefined when one is free. */
export function fixedShape(schema, root) {
  const shape = [];
  let at = schema;
  while (at.type === "array") {
    if (at.minItems === undefined || at.minItems !== at.maxItems) return undefined;
    shape.push(at.minItems);
    at = resolve(at.items, root);
  }
  return at.type === "number" || at.type === "integer" ? { shape, item: at } : undefined;
}

/** The least and the most that a number may be. What only says how far its type reaches is no limit. */
export function limitsOf(schema) {
  const told = (limit) => (Math.abs(limit) < 1e30 ? limit : undefined);
  return { minimum: told(schema.minimum), maximum: told(schema.maximum) };
}

function range(low, high) {
  if (low !== undefined && high !== undefined) return low === high ? `${low}` : `${low} to ${high}`;
  if (low !== undefined) return `${low} or more`;
  return high !== undefined ? `up to ${high}` : "";
}

/** The rules of a schema in words: "64 numbers, each 0 to 16". */
export function inWords(schema, root) {
  const words = {
    integer: "whole number",
    number: "number",
    string: "text",
    boolean: "yes or no",
    object: "object",
  };
  const parts = [];
  if (schema.enum) parts.push(`one of ${schema.enum.map((one) => JSON.stringify(one)).join(", ")}`);
  else if (schema.const !== undefined) parts.push(`always ${JSON.stringify(schema.const)}`);
  else if (schema.type === "array") parts.push(listInWords(schema, root));
  else if (schema.anyOf ?? schema.oneOf)
    parts.push((schema.anyOf ?? schema.oneOf).map((one) => inWords(resolve(one, root), root)).join(", or "));
  else
    parts.push(
      schema.format ? `${words[schema.type] ?? ""} (${schema.format})` : (words[schema.type] ?? "any JSON"),
    );
  const { minimum, maximum } = limitsOf(schema);
  const limits = range(minimum, maximum);
  if (limits) parts.push(limits);
  if (schema.exclusiveMinimum !== undefined) parts.push(`above ${schema.exclusiveMinimum}`);
  if (schema.exclusiveMaximum !== undefined) parts.push(`below ${schema.exclusiveMaximum}`);
  if (schema.multipleOf !== undefined) parts.push(`a multiple of ${schema.multipleOf}`);
  const length = range(schema.minLength, schema.maxLength);
  if (length) parts.push(`${length} characters`);
  if (schema.pattern) parts.push(`matches ${schema.pattern}`);
  if (schema.nullable) parts.push("or null");
  return parts.join(", ");
}

function listInWords(schema, root) {
  const fixed = fixedShape(schema, root);
  if (fixed && fixed.shape.length > 1) return `${fixed.shape.join(" × ")} numbers`;
  const items = resolve(schema.items, root);
  const plural = {
    number: "numbers",
    integer: "whole numbers",
    string: "texts",
    array: "lists",
    object: "objects",
  };
  const count = range(schema.minItems, schema.maxItems);
  const { minimum, maximum } = limitsOf(items);
  const limits = range(minimum, maximum);
  return `${count ? `${count} ` : "list of "}${plural[items.type] ?? "items"}${limits ? `, each ${limits}` : ""}`;
}

/** A value to start from, where there is no example. */
export function sample(given, root, depth = 0) {
  const schema = resolve(given, root);
  for (const known of [schema.default, schema.const, schema.enum?.[0], schema.examples?.[0]])
    if (known !== undefined) return known;
  if (schema.nullable || depth > 8) return null;
  switch (schema.type) {
    case "integer":
    case "number": {
      const low =
        schema.minimum ?? (schema.exclusiveMinimum !== undefined ? schema.exclusiveMinimum + 1 : -Infinity);
      return Math.min(Math.max(0, low), schema.maximum ?? Infinity);
    }
    case "string":
      return "x".repeat(Math.min(schema.minLength ?? 0, 1000));
    case "boolean":
      return false;
    case "array": {
      const item = sample(schema.items ?? {}, root, depth + 1);
      return Array.from({ length: Math.min(schema.minItems ?? 0, 4096) }, () => structuredClone(item));
    }
    case "object": {
      const value = {};
      for (const name of schema.required ?? [])
        put(value, name, sample(own(schema.properties, name), root, depth + 1));
      return value;
    }
    default: {
      const choices = schema.anyOf ?? schema.oneOf;
      return choices ? sample(choices[0], root, depth + 1) : null;
    }
  }
}
