import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HostileFile } from "./hostile-file.js";
import { code, folderWith, GiB, nestedLists } from "./network-bytes.js";

const odd = (
  name: string,
  content: (canary: string) => string,
  expected?: HostileFile["expected"],
): HostileFile => folderWith(`MLflow: ${name}`, "MLmodel", content, expected);
const broken = (name: string, content: (canary: string) => string): HostileFile =>
  odd(name, content, "error");

const lines = (count: number, line: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => line(at)).join("\n");

/** Each list holds the one before nine times: nine to the power of `depth` items. */
function laughs(depth: number): string {
  const first = "a0: &a0 [x, x, x, x, x, x, x, x, x]";
  return `${first}\n${lines(depth, (at) => `a${at + 1}: &a${at + 1} [${Array(9).fill(`*a${at}`).join(", ")}]`)}`;
}

export const mlflow: HostileFile[] = [
  broken("an empty description", () => ""),
  broken("a description that is a list", () => "- 1\n- 2\n"),
  broken("a description that is no YAML", () => "flavors: [}"),
  broken("a description of bytes", () => "\u0000\u0001\u0002flavors: {}"),
  broken("no flavours", () => "flavors: {}\n"),
  broken("flavours that are a number", () => "flavors: 3\n"),
  broken("a billion laughs", () => `${laughs(12)}\nflavors: {sklearn: {}}\n`),
  broken("100,000 nested lists", () => `flavors: ${nestedLists(100_000)}`),
  broken("8,000 nested lists", () => `flavors: ${nestedLists(8000)}`),
  broken("1,000 nested mappings", () => lines(1000, (at) => `${" ".repeat(at)}a:`)),
  broken("90,000 keys", () => `flavors:\n${lines(90_000, (at) => `  k${at}: 1`)}\n`),
  broken("170,000 items", () => `flavors:\n${"  - a\n".repeat(170_000)}`),
  broken("60,000 anchors", () => `flavors:\n${lines(60_000, (at) => `  k${at}: &a${at} 1`)}\n`),
  broken("300,000 empty lists", () => `flavors: [${"[],".repeat(300_000)}]`),
  broken("3 MB", () => `# ${"x".repeat(3_000_000)}\nflavors: {sklearn: {}}`),
  odd("one line of 1.9 MB", () => `flavors: {sklearn: "${"x".repeat(1_900_000)}"}`),
  odd("4,000 flavours", () => `flavors:\n${lines(4000, (at) => `  k${at}: {}`)}\n`),
  odd(
    "a tag that would run a command",
    (canary) => `flavors: {sklearn: !!python/object/apply:os.system ['touch ${canary}']}\n`,
  ),
  odd("an anchor that holds itself", () => "flavors: &a {sklearn: *a}\n"),
  odd("merge keys in a circle", () => "a: &a\n  <<: *a\nflavors: {sklearn: *a}\n"),
  odd("a path out of the folder", () => "flavors: {sklearn: {pickled_model: ../../../../../etc/passwd}}\n"),
  odd("a path from the root", () => "flavors: {sklearn: {pickled_model: /etc/passwd}}\n"),
  odd("a path to the folder itself", () => "flavors: {sklearn: {data: .}}\n"),
  odd("a path to its own description", () => "flavors: {sklearn: {data: MLmodel}}\n"),
  odd("a nested signature", () => `flavors: {sklearn: {}}\nsignature: {inputs: '${nestedLists(200_000)}'}\n`),
  odd(
    "a signature of odd types",
    () =>
      `flavors: {sklearn: {}}\nsignature: {inputs: '[{"type":{},"name":7},{"type":"tensor","tensor-spec":{"shape":"abc"}}]'}\n`,
  ),
  odd("columns that are code", (canary) => {
    const name = JSON.stringify(`"; ${code(canary)}`).replaceAll("'", "''");
    return `flavors: {sklearn: {}}\nsignature: {inputs: '[{"type":"double","name":${name}}]'}\n`;
  }),
  odd(
    "names of JavaScript",
    () => "__proto__: {flavors: {x: {}}}\nflavors: {__proto__: {data: x}, constructor: {}}\n",
  ),
  {
    name: "MLflow: a description of 10 GB",
    make(parent) {
      writeFileSync(join(parent, "MLmodel"), "");
      truncateSync(join(parent, "MLmodel"), 10 * GiB);
      return parent;
    },
    expected: "error",
  },
  {
    name: "MLflow: 40 models in one another",
    make(parent) {
      let inner = parent;
      for (let at = 0; at < 40; at++) {
        writeFileSync(join(inner, "MLmodel"), "flavors: {sklearn: {data: inner}}\n");
        inner = join(inner, "inner");
        mkdirSync(inner);
      }
      return parent;
    },
  },
  {
    name: "MLflow: 3,000 files",
    make(parent) {
      writeFileSync(join(parent, "MLmodel"), "flavors: {sklearn: {data: parts}}\n");
      mkdirSync(join(parent, "parts"));
      for (let at = 0; at < 3000; at++) writeFileSync(join(parent, "parts", String(at)), "");
      return parent;
    },
  },
];
