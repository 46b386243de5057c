import { commentText, typescriptText } from "./escape.js";
import type { Field, NamedType, Type } from "./types.js";

export function typescriptConstants(constants: readonly [string, unknown][]): string {
  return constants
    .map(
      ([name, value]) =>
        `const ${name} = ${typeof value === "string" ? typescriptText(value) : String(value)};`,
    )
    .join("\n");
}

export function typescriptTypes(types: readonly NamedType[]): string {
  return types.map(declaration).join("\n\n");
}

function declaration(type: NamedType): string {
  if ("alias" in type) return `${about(type, "")}export type ${type.name} = ${shown(type.alias)};`;
  if (type.fields.length === 0) return `${about(type, "")}export type ${type.name} = Record<string, never>;`;
  return `${about(type, "")}export interface ${type.name} {\n${type.fields.map(member).join("\n")}\n}`;
}

function member(field: Field): string {
  const key = /^[A-Za-z_$][\w$]*$/.test(field.key) ? field.key : typescriptText(field.key);
  return `${about(field, "  ")}  ${key}${field.required ? "" : "?"}: ${shown(field.type)};`;
}

function about({ about }: { about: string | undefined }, indent: string): string {
  const text = about === undefined ? "" : commentText(about);
  return text === "" ? "" : `${indent}/** ${text} */\n`;
}

function shown(type: Type): string {
  switch (type.kind) {
    case "json":
      return "Json";
    case "null":
      return "null";
    case "boolean":
      return "boolean";
    case "integer":
    case "number":
      return "number";
    case "string":
      return "string";
    case "literal":
      return type.values
        .map((value) => (typeof value === "string" ? typescriptText(value) : String(value)))
        .join(" | ");
    case "list":
      return `${inList(type.items)}[]`;
    case "tuple":
      return `[${type.items.map(shown).join(", ")}]`;
    case "map":
      return `Record<string, ${shown(type.values)}>`;
    case "union":
      return [...new Set(type.of.map(shown))].join(" | ");
    case "named":
      return type.name;
  }
}

function inList(type: Type): string {
  const text = shown(type);
  return type.kind === "union" || (type.kind === "literal" && type.values.length > 1) ? `(${text})` : text;
}
