import { commentText, pythonText } from "./escape.js";
import type { Field, NamedType, Type } from "./types.js";

/** The constants of a client, and of them only what it uses. */
export function pythonConstants(constants: readonly [string, unknown][]): string {
  return constants
    .map(([name, value]) => `${name} = ${typeof value === "string" ? pythonText(value) : String(value)}`)
    .join("\n");
}

/** TypedDicts, which are plain dicts as JSON has them: keys may be any text, and what is not known of is kept. */
export function pythonTypes(types: readonly NamedType[]): string {
  const text = types.map(declaration).join("\n\n\n");
  return text.startsWith("class ") ? `\n${text}` : text;
}

function declaration(type: NamedType): string {
  const { name } = type;
  // In quotes: it may need types that come later, or itself.
  if ("alias" in type) return `${about(type, "")}${name}: TypeAlias = ${pythonText(shown(type.alias))}`;
  const required = type.fields.filter((field) => field.required);
  const optional = type.fields.filter((field) => !field.required);
  const write = type.fields.every(({ key }) => isAttribute(key)) ? asClass : asCall;
  if (optional.length === 0) return about(type, "") + write(name, required, "TypedDict", "");
  if (required.length === 0) return about(type, "") + write(name, optional, "TypedDict", ", total=False");
  const base = write(`_${name}Required`, required, "TypedDict", "");
  if (write === asClass)
    return `${base}\n\n\n${about(type, "")}${asClass(name, optional, `_${name}Required`, ", total=False")}`;
  const other = asCall(`_${name}Optional`, optional, "TypedDict", ", total=False");
  const both = `class ${name}(_${name}Required, _${name}Optional):\n    """Keys that have to be there, and others."""`;
  return `${base}\n\n${other}\n\n\n${about(type, "")}${both}`;
}

function asClass(name: string, fields: readonly Field[], base: string, total: string): string {
  const lines = fields.map((field) => `${about(field, "    ")}    ${field.key}: ${shown(field.type)}`);
  return `class ${name}(${base}${total}):\n${lines.join("\n") || "    pass"}`;
}

/** For keys that are no names in Python. */
function asCall(name: string, fields: readonly Field[], base: string, total: string): string {
  const lines = fields.map(
    (field) =>
      `${about(field, "        ")}        ${pythonText(field.key)}: ${pythonText(shown(field.type))},`,
  );
  return `${name} = ${base}(\n    "${name}",\n    {\n${lines.join("\n")}\n    }${total ? ",\n    total=False" : ""},\n)`;
}

function about({ about }: { about: string | undefined }, indent: string): string {
  const text = about === undefined ? "" : commentText(about);
  return text === "" ? "" : `${indent}#: ${text}\n`;
}

function shown(type: Type): string {
  switch (type.kind) {
    case "json":
      return "Json";
    case "null":
      return "None";
    case "boolean":
      return "bool";
    case "integer":
      return "int";
    case "number":
      return "float";
    case "string":
      return "str";
    case "literal":
      return `Literal[${type.values.map(literal).join(", ")}]`;
    case "list":
      return `list[${shown(type.items)}]`;
    case "tuple":
      // JSON is read as lists.
      return `list[${[...new Set(type.items.map(shown))].join(" | ") || "Json"}]`;
    case "map":
      return `dict[str, ${shown(type.values)}]`;
    case "union":
      return [...new Set(type.of.map(shown))].join(" | ");
    case "named":
      return type.name;
  }
}

function literal(value: string | number | boolean): string {
  if (typeof value === "string") return pythonText(value);
  return typeof value === "boolean" ? (value ? "True" : "False") : String(value);
}

/** Whether a key may be an annotated name in a class, where it hides no type and Python leaves it as it is. */
function isAttribute(key: string): boolean {
  return /^[A-Za-z]\w*$/.test(key) && !words.has(key);
}

const words = new Set(
  (
    "False None True and as assert async await break class continue def del elif else except finally for from global " +
    "if import in is lambda nonlocal not or pass raise return try while with yield " +
    "bool int float str list dict Json Literal TypedDict"
  ).split(" "),
);

/** Without the imports that nothing uses, once parts of the file are left out. */
export function withoutUnusedImports(text: string): string {
  const pattern = /^(?:import ([\w.]+)|from ([\w.]+) import (?:\(([^)]*)\)|(.+)))\n/gm;
  const rest = text.replace(pattern, "");
  return text.replace(pattern, (line, whole?: string, from?: string, many?: string, few?: string) => {
    if (from === "__future__") return line;
    if (whole) return rest.includes(`${whole}.`) ? line : "";
    const names = (many ?? few ?? "").split(",").map((name) => name.trim());
    const used = names.filter((name) => name !== "" && new RegExp(`\\b${name}\\b`).test(rest));
    const short = `from ${from} import ${used.join(", ")}`;
    if (used.length === 0) return "";
    return short.length <= lineWidth
      ? `${short}\n`
      : `from ${from} import (\n    ${used.join(",\n    ")},\n)\n`;
  });
}

/** Of ruff and black, unless they are told otherwise. */
const lineWidth = 88;
