import { at, isObject, type JsonSchema, type PredictDescription } from "./description.js";
import { Names, typeName } from "./names.js";

/** A type as both languages can say it. */
export type Type =
  | { kind: "json" | "null" | "boolean" | "integer" | "number" | "string" }
  | { kind: "literal"; values: readonly (string | number | boolean)[] }
  | { kind: "list"; items: Type }
  | { kind: "tuple"; items: readonly Type[] }
  | { kind: "map"; values: Type }
  | { kind: "union"; of: readonly Type[] }
  | { kind: "named"; name: string };

export interface Field {
  /** As it is in JSON: any text. */
  key: string;
  type: Type;
  required: boolean;
  about: string | undefined;
}

/** A type with a name: an object with fields, or another name for a type. */
export type NamedType = { name: string; about: string | undefined } & ({ fields: Field[] } | { alias: Type });

/** A schema may be larger than anyone reads, or lead back to itself: what is beyond these is any JSON. */
const limits = { depth: 24, nodes: 20_000, named: 500, fields: 2000, members: 40, literals: 200 } as const;

const json: Type = { kind: "json" };

/** The types of rows and outputs, `Input` and `Output` among them, each after those that it needs as far as possible. */
export function typesOf(predict: PredictDescription, reserved: Iterable<string>): NamedType[] {
  return predict.types === undefined
    ? [alias("Input", json), alias("Output", json)]
    : new Reader(predict.definitions, reserved).read(predict.types);
}

function alias(name: string, type: Type): NamedType {
  return { name, about: undefined, alias: type };
}

class Reader {
  readonly #definitions: Readonly<Record<string, JsonSchema>>;
  readonly #names: Names;
  readonly #named: NamedType[] = [];
  readonly #nameOf = new Map<string, string>();
  #nodes = 0;

  constructor(definitions: Readonly<Record<string, JsonSchema>>, reserved: Iterable<string>) {
    this.#definitions = definitions;
    this.#names = new Names(["Input", "Output", ...reserved]);
  }

  read({ input, output }: { input: JsonSchema; output: JsonSchema }): NamedType[] {
    this.#root("Input", input);
    this.#root("Output", output);
    return this.#named;
  }

  #root(name: "Input" | "Output", schema: JsonSchema): void {
    const target = this.#target(schema);
    if (target !== undefined && !this.#nameOf.has(target)) {
      this.#nameOf.set(target, name);
      this.#define(name, this.#definitions[target], 0);
    } else if (target === undefined && isObject(at(schema, "properties"))) this.#define(name, schema, 0);
    else this.#named.push(alias(name, this.#type(schema, name, 0)));
  }

  /** Key of the definition that a reference leads to. */
  #target(schema: JsonSchema): string | undefined {
    const reference = at(schema, "$ref");
    if (typeof reference !== "string") return undefined;
    const last = reference
      .slice(reference.lastIndexOf("/") + 1)
      .replaceAll("~1", "/")
      .replaceAll("~0", "~");
    const key = Object.hasOwn(this.#definitions, last) ? last : decoded(last);
    return Object.hasOwn(this.#definitions, key) ? key : undefined;
  }

  /** Enters a type; what it needs comes before it, unless it leads back to it. */
  #define(name: string, schema: JsonSchema, depth: number): void {
    const properties = at(schema, "properties");
    const about = aboutOf(schema);
    if (!isObject(properties)) {
      this.#named.push({ name, about, alias: this.#type(schema, name, depth + 1) });
      return;
    }
    const needed = at(schema, "required");
    const required = new Set(Array.isArray(needed) ? needed : []);
    const fields = Object.entries(properties)
      .slice(0, limits.fields)
      .map(([key, one]) => ({
        key,
        type: this.#type(one, `${name}${typeName(key)}`, depth + 1),
        required: required.has(key),
        about: aboutOf(one),
      }));
    this.#named.push({ name, about, fields });
  }

  #type(schema: JsonSchema, name: string, depth: number): Type {
    this.#nodes += 1;
    if (!isObject(schema) || depth > limits.depth || this.#nodes > limits.nodes) return json;
    if (schema.$ref !== undefined) return this.#referred(schema, depth);
    if (schema.const !== undefined) return literal([schema.const]);
    if (Array.isArray(schema.enum)) return literal(schema.enum);
    const choices = schema.anyOf ?? schema.oneOf;
    if (Array.isArray(choices)) return this.#union(choices, name, depth);
    if (Array.isArray(schema.allOf))
      return schema.allOf.length === 1 ? this.#type(schema.allOf[0], name, depth + 1) : json;
    if (Array.isArray(schema.type))
      return this.#union(
        schema.type.map((type) => ({ ...schema, type })),
        name,
        depth,
      );
    switch (schema.type) {
      case "null":
      case "boolean":
      case "integer":
      case "number":
      case "string":
        return { kind: schema.type };
      case "array":
        return this.#array(schema, name, depth);
      case "object":
        return this.#object(schema, name, depth);
      default:
        return json;
    }
  }

  #referred(schema: JsonSchema, depth: number): Type {
    const target = this.#target(schema);
    if (target === undefined) return json;
    const known = this.#nameOf.get(target);
    if (known !== undefined) return { kind: "named", name: known };
    const definition = this.#definitions[target];
    // A name for a text or a number says less than the type itself; one that leads to a reference could lead in circles.
    if (["string", "integer", "number", "boolean"].includes(String(at(definition, "type"))))
      return this.#type(definition, typeName(target), depth + 1);
    if (this.#nameOf.size >= limits.named) return json;
    const name = this.#names.take(typeName(target));
    this.#nameOf.set(target, name);
    this.#define(name, definition, depth);
    return { kind: "named", name };
  }

  #union(choices: readonly unknown[], name: string, depth: number): Type {
    if (choices.length > limits.members) return json;
    const members = choices.map((one) => this.#type(one, name, depth + 1));
    const flat = members.flatMap((one) => (one.kind === "union" ? one.of : [one]));
    if (flat.length === 0 || flat.some(({ kind }) => kind === "json")) return json;
    const different = new Map(flat.map((one) => [JSON.stringify(one), one]));
    const [first, ...others] = different.values();
    return first !== undefined && others.length === 0
      ? first
      : { kind: "union", of: [...different.values()] };
  }

  #array(schema: Record<string, unknown>, name: string, depth: number): Type {
    const places = schema.prefixItems;
    const isTuple =
      Array.isArray(places) && places.length <= limits.members && schema.maxItems === places.length;
    if (isTuple && schema.minItems === places.length)
      return {
        kind: "tuple",
        items: places.map((one, index) => this.#type(one, `${name}${index}`, depth + 1)),
      };
    return { kind: "list", items: this.#type(schema.items, `${name}Item`, depth + 1) };
  }

  #object(schema: Record<string, unknown>, name: string, depth: number): Type {
    if (!isObject(schema.properties))
      return { kind: "map", values: this.#type(schema.additionalProperties, `${name}Value`, depth + 1) };
    if (this.#named.length >= limits.named) return json;
    const own = this.#names.take(name.slice(0, 80));
    this.#define(own, schema, depth);
    return { kind: "named", name: own };
  }
}

function literal(values: readonly unknown[]): Type {
  const known = values.filter((value) => ["string", "boolean"].includes(typeof value) || isWhole(value));
  const rest = values.filter((value) => !known.includes(value));
  if (values.length === 0 || values.length > limits.literals || rest.some((value) => value !== null))
    return json;
  const some: Type = { kind: "literal", values: [...new Set(known)] as (string | number | boolean)[] };
  const nothing: Type = { kind: "null" };
  if (rest.length === 0) return some;
  return known.length === 0 ? nothing : { kind: "union", of: [some, nothing] };
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

function aboutOf(schema: JsonSchema): string | undefined {
  const about = at(schema, "description");
  return typeof about === "string" && about.trim() !== "" ? about : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
