import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HostileFile } from "./hostile-file.js";
import { code, folder, GiB, joined, nestedLists, nestedObjects, u64 } from "./network-bytes.js";

type Change = (path: string, canary: string) => unknown;

const write =
  (name: string, content: (canary: string) => string | Buffer): Change =>
  (path, canary) =>
    writeFileSync(join(path, name), content(canary));
const config = (more: (canary: string) => Record<string, unknown>): Change => {
  return (path, canary) => {
    const file = join(path, "config.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...more(canary) }));
  };
};
const index =
  (content: () => string): Change =>
  (path) => {
    rmSync(join(path, "model.safetensors"));
    writeFileSync(join(path, "model.safetensors.index.json"), content());
  };
const link =
  (name: string, target: string): Change =>
  (path) => {
    rmSync(join(path, name), { force: true });
    symlinkSync(target, join(path, name));
  };
const hole =
  (name: string): Change =>
  (path) => {
    writeFileSync(join(path, name), "{", { flag: "a" });
    truncateSync(join(path, name), 2 * GiB);
  };
const numbered = (count: number, value: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => `"${at}": ${value(at)}`).join(",");

const broken = (name: string, change: Change): HostileFile =>
  folder(`Hugging Face: ${name}`, "hugging-face/text-classification", change, "error");
const odd = (name: string, change: Change, expected?: HostileFile["expected"]): HostileFile =>
  folder(`Hugging Face: ${name}`, "hugging-face/text-classification", change, expected);

export const huggingFace: HostileFile[] = [
  broken(
    "an empty config.json",
    write("config.json", () => ""),
  ),
  broken(
    "a config.json that is no JSON",
    write("config.json", () => "{'architectures': [}"),
  ),
  broken("a config.json of 2 GB", hole("config.json")),
  odd(
    "a config.json of nested lists",
    write("config.json", () => nestedLists(2_000_000)),
  ),
  odd(
    "a config.json that is a list",
    write("config.json", () => "[]"),
  ),
  odd(
    "a config.json with names of JavaScript",
    write(
      "config.json",
      () => '{"__proto__": {"architectures": ["X"]}, "constructor": 1, "architectures": ["__proto__"]}',
    ),
  ),
  odd(
    "an architecture that is code",
    config((canary) => ({ architectures: [`X'); ${code(canary)}\n\u001b[2J`] })),
  ),
  odd(
    "architectures that are numbers",
    config(() => ({ architectures: [1, 2], model_type: {} })),
  ),
  odd(
    "300,000 labels",
    config(() => ({ id2label: JSON.parse(`{${numbered(300_000, () => '"x"')}}`) })),
  ),
  odd(
    "a label at 2^53",
    config(() => ({ id2label: { "9007199254740993": "x" } })),
  ),
  odd(
    "labels that are objects",
    config(() => ({ id2label: { "0": {}, "1": [] } })),
  ),
  odd(
    "labels that are code",
    config((canary) => ({ id2label: { "0": `"""\n${code(canary)}`, "1": "*/</script>{{7*7}}<%= 1 %>" } })),
  ),
  odd(
    "10^300 labels",
    config(() => ({ id2label: undefined, num_labels: 1e300 })),
  ),
  odd(
    "code from another place",
    config((canary) => ({ auto_map: { AutoModel: `https://example.com/x--${code(canary)}` } })),
    { warning: /trust_remote_code/ },
  ),
  broken(
    "an index that leads out",
    index(() => '{"weight_map": {"a": "../../../../etc/passwd"}}'),
  ),
  broken(
    "an index that leads to the root",
    index(() => '{"weight_map": {"a": "/etc/passwd"}}'),
  ),
  broken(
    "an index of numbers",
    index(() => '{"weight_map": {"a": 1}}'),
  ),
  broken(
    "an index that is a list",
    index(() => '{"weight_map": [1, 2]}'),
  ),
  broken(
    "an index of 100,000 files",
    index(() => `{"weight_map": {${numbered(100_000, (at) => `"${at}.safetensors"`)}}}`),
  ),
  broken(
    "an index of a million tensors",
    index(() => `{"weight_map": {${numbered(1_000_000, () => '"x"')}}}`),
  ),
  broken(
    "weights whose header claims 2 GB",
    write("model.safetensors", () => joined(u64(2 * GiB), "{}")),
  ),
  broken(
    "empty weights",
    write("model.safetensors", () => ""),
  ),
  broken("weights that were cut", (path) => truncateSync(join(path, "model.safetensors"), 5000)),
  broken("weights that are a folder", (path) => {
    rmSync(join(path, "model.safetensors"));
    mkdirSync(join(path, "model.safetensors"));
  }),
  broken("weights that link out of the folder", (path) => link("model.safetensors", "/etc/passwd")(path, "")),
  broken("a tokenizer that links out of the folder", link("tokenizer.json", "/etc/passwd")),
  broken("a license that links out of the folder", link("LICENSE", "/etc/passwd")),
  odd("a tokenizer that links to a device", link("tokenizer.json", "/dev/zero")),
  odd("a folder that links to itself", link("onnx", ".")),
  odd(
    "a nested tokenizer_config.json",
    write("tokenizer_config.json", () => nestedObjects(1_000_000)),
  ),
  broken("a chat template of 2 GB", hole("chat_template.jinja")),
  odd(
    "a chat template that is code",
    write(
      "chat_template.jinja",
      (canary) => `{{ cycler.__init__.__globals__.os.system('touch ${canary}') }}`,
    ),
  ),
  broken(
    "modules that lead out",
    write(
      "modules.json",
      () => '[{"type":"x","path":""},{"type":"sentence_transformers.models.Dense","path":"../../.."}]',
    ),
  ),
  broken(
    "modules that start at the root",
    write("modules.json", () => '[{"type":"x","path":"/etc"}]'),
  ),
  broken(
    "100,000 modules",
    write("modules.json", () => JSON.stringify(Array(100_000).fill({ type: "x", path: "" }))),
  ),
  odd(
    "modules that are a number",
    write("modules.json", () => "7"),
  ),
  odd(
    "a module of the author",
    write("modules.json", (canary) => JSON.stringify([{ type: `own.${code(canary)}`, path: "" }])),
    { warning: /its own Python code/ },
  ),
];
