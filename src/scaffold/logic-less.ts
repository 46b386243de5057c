import mustache from "mustache";
import { messageOf, UserError } from "../errors.js";
import { literalNames, ownVariables } from "./manifest.js";
import type { Renderer } from "./plan.js";

/**
 * Renders templates from elsewhere, which must not run code: Mustache's grammar, without partials and lambdas. A tag
 * is `{{name}}` or `{{py model.main}}`; a section is `{{#model.inputs}}...{{/model.inputs}}` or `{{^model}}...{{/model}}`.
 * mustache only reads the text: the values are looked up here, as own members and nothing else.
 */
export function logicLessRenderer(variables: Readonly<Record<string, unknown>>): Renderer {
  return {
    extension: ".mustache",
    render(text, file) {
      try {
        const output = new Output();
        write(mustache.parse(text) as Token[], [variables], variables, output);
        return output.text();
      } catch (error) {
        throw new UserError("template", `The template file ${file} cannot be rendered.`, {
          why: `${messageOf(error).split("\n")[0]}.`,
          hint: `A template may use ${ownVariables.join(", ")}, its questions, and before a value one of ${literalNames.join(", ")}.`,
          cause: error,
        });
      }
    },
  };
}

/** As mustache has it: type, value, start, end, and of a section what is in it. */
type Token = [type: string, value: string, start: number, end: number, inside?: Token[]];
type Scope = readonly unknown[];
type Variables = Readonly<Record<string, unknown>>;

/** A section in a section in a section multiplies: this is more than any file of a project. */
const mostCharacters = 4 * 1024 * 1024;
const mostSteps = 1_000_000;

class Output {
  private readonly parts: string[] = [];
  private characters = 0;
  private steps = 0;

  add(part: string): void {
    this.step();
    this.characters += part.length;
    if (this.characters > mostCharacters) throw new Error("the file becomes too large");
    this.parts.push(part);
  }

  step(): void {
    this.steps += 1;
    if (this.steps > mostSteps) throw new Error("its sections are repeated too often");
  }

  text(): string {
    return this.parts.join("");
  }
}

function write(tokens: readonly Token[], scope: Scope, variables: Variables, output: Output): void {
  for (const [type, value, , , inside = []] of tokens) {
    output.step();
    if (type === "text") output.add(value);
    else if (type === "name" || type === "&") output.add(tagText(value, scope, variables));
    else if (type === "#")
      for (const item of itemsOf(lookUp(value, scope))) write(inside, [item, ...scope], variables, output);
    else if (type === "^") {
      if (itemsOf(lookUp(value, scope)).length === 0) write(inside, scope, variables, output);
    } else throw new Error(`{{${type}${value}}} is not supported`);
  }
}

/** What a section is repeated for. */
function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return value === undefined || value === null || value === false || value === "" ? [] : [value];
}

function tagText(tag: string, scope: Scope, variables: Variables): string {
  const [first = "", second, ...more] = tag.split(/\s+/);
  if (more.length > 0) throw new Error(`{{${tag}}} has more than a function and a value`);
  if (second === undefined) return plain(first, lookUp(first, scope), variables);
  const literal = (literalNames as readonly string[]).includes(first) ? variables[first] : undefined;
  if (typeof literal !== "function") throw new Error(`{{${tag}}}: there is no ${first}`);
  const value = lookUp(second, scope);
  if (value === undefined) throw new Error(`{{${tag}}}: there is no ${second}`);
  return literal(value);
}

/** Without a literal function only what is harmless in any language. */
function plain(path: string, value: unknown, variables: Variables): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string") throw new Error(`{{${path}}}: there is no such text`);
  const ours =
    path !== "model" && (ownVariables as readonly string[]).includes(path) && variables[path] === value;
  if (ours || /^[\w.[\]-]*$/.test(value)) return value;
  throw new Error(
    `{{${path}}} holds more than letters and digits: put it through a function, such as {{py ${path}}}`,
  );
}

function lookUp(path: string, scope: Scope): unknown {
  if (path === ".") return scope[0];
  const [first = "", ...rest] = path.split(".");
  const holder = scope.find((candidate) => member(candidate, first) !== undefined);
  return rest.reduce((value, name) => member(value, name), member(holder, first));
}

function member(holder: unknown, name: string): unknown {
  if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, name)) return undefined;
  const value = (holder as Record<string, unknown>)[name];
  return typeof value === "function" ? undefined : value;
}
