/** The schemas that a user states: plain JSON Schema, or a validator that follows https://standardschema.dev, as zod does. */
import type { Detail } from "../errors.js";
import { pathOf, propertyNames, RowRules } from "../schema/rules.js";
import type { JsonSchema } from "../schema/schema.js";
import { OutputError } from "../schema/schema.js";
import { ModelFailed } from "./failure.js";

interface Issue {
  message: string;
  path?: readonly (PropertyKey | { key: PropertyKey })[];
}

type Result = { value: unknown; issues?: undefined } | { issues: readonly Issue[] };

interface Standard {
  validate: (value: unknown) => Result | Promise<Result>;
  jsonSchema?: Record<"input" | "output", (options: { target: string }) => JsonSchema>;
}

/** What a row is checked with, beyond its JSON Schema. */
export class Stated {
  readonly schema: JsonSchema;
  /** Plain JSON Schema: nothing else fills in what is left out. */
  readonly plain: boolean;
  readonly #standard: Standard | undefined;
  readonly #names: ReadonlySet<string>;
  #rules: RowRules | undefined;

  constructor(given: unknown, side: "input" | "output", place: string) {
    const standard = (given as { "~standard"?: Standard } | undefined)?.["~standard"];
    this.#standard = standard;
    this.plain = standard === undefined;
    this.schema = standard ? jsonSchemaOf(standard, side, place) : plainSchema(given, place);
    this.#names = propertyNames(this.schema);
    try {
      this.#rules = new RowRules(this.schema, false);
    } catch (problem) {
      throw new ModelFailed("schema", `${place} is no JSON Schema: ${(problem as Error).message}`);
    }
  }

  /** The value as the model gets it, or what is wrong with it. */
  async read(value: unknown): Promise<{ value: unknown } | { broken: Detail[] }> {
    if (!this.#standard) return { value }; // It was checked before it came here.
    const result = await this.#standard.validate(value);
    if (!result.issues) return { value: result.value };
    const broken = result.issues.slice(0, 20).map(({ message, path = [] }) => ({
      path: pathOf("", path.map(stepOf), this.#names),
      rule: message,
      type: "value_error",
    }));
    return { broken };
  }

  /** The JSON of what the model returned. Throws OutputError. */
  async write(value: unknown, row: number): Promise<string> {
    const read = this.#standard ? await this.read(value) : { value };
    const broken = "broken" in read ? read.broken : this.#brokenRules(read.value);
    const [first] = broken;
    if (first) {
      const path = first.path === "body" ? "" : `.${first.path}`;
      throw new OutputError(
        `predict returned something else than its schema says: rows[${row}]${path}: ${first.rule}`,
      );
    }
    const checked = (read as { value: unknown }).value;
    const text = JSON.stringify(checked);
    if (text === undefined) throw new OutputError(`predict returned ${typeof checked} for rows[${row}]`);
    // JSON.stringify writes NaN as null: only then is a look at the values needed.
    const path = text.includes("null") ? notFinite(checked, `rows[${row}]`) : undefined;
    if (path !== undefined) throw new OutputError(`predict returned a number that is not finite at ${path}`);
    return text;
  }

  #brokenRules(value: unknown): Detail[] {
    return this.#standard ? [] : (this.#rules?.broken([value], () => "") ?? []);
  }
}

function stepOf(step: PropertyKey | { key: PropertyKey }): string | number {
  const key = typeof step === "object" ? step.key : step;
  return typeof key === "number" ? key : String(key);
}

function jsonSchemaOf({ jsonSchema }: Standard, side: "input" | "output", place: string): JsonSchema {
  if (!jsonSchema) {
    throw new ModelFailed(
      "schema",
      `${place} cannot be shown as JSON Schema: use zod 4.2 or later, another library of Standard JSON Schema, or write JSON Schema itself`,
    );
  }
  try {
    return jsonSchema[side]({ target: "draft-2020-12" });
  } catch (problem) {
    throw new ModelFailed("schema", `${place} cannot be shown as JSON Schema: ${(problem as Error).message}`);
  }
}

function plainSchema(given: unknown, place: string): JsonSchema {
  if (typeof given === "object" && given !== null && !Array.isArray(given))
    return structuredClone(given) as JsonSchema;
  throw new ModelFailed("schema", `${place} is no schema: write it with zod, or as JSON Schema`);
}

function notFinite(value: unknown, path: string): string | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : path;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, item] of Object.entries(value)) {
    const found = notFinite(item, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
