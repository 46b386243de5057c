import { bytes, fixture, type HostileFile, mutations } from "./hostile-file.js";
import { code, GiB, joined, nestedLists, nestedObjects, runsCode, u64 } from "./network-bytes.js";
import { type ZipPart, zipBytes } from "./zip-bytes.js";

const version: ZipPart = { name: "m/version", content: Buffer.from("3\n") };
const saved = (pickle: Buffer, ...more: ZipPart[]): Buffer =>
  zipBytes([{ name: "m/data.pkl", content: pickle }, version, ...more]);
const pickle = (...parts: (Buffer | string)[]): Buffer =>
  Buffer.concat([
    Buffer.from([0x80, 2]),
    ...parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)),
  ]);
const script = (className: string, source: string): Buffer =>
  zipBytes([
    { name: "m/data.pkl", content: pickle(`c${className}\nX\n)\x81.`) },
    { name: "m/constants.pkl", content: pickle(").") },
    { name: "m/code/__torch__.py", content: Buffer.from(source) },
  ]);
const program = (json: string, claims: Partial<ZipPart> = {}): Buffer =>
  zipBytes([
    { name: "m/archive_format", content: Buffer.from("pt2") },
    { name: "m/models/model.json", content: Buffer.from(json), ...claims },
  ]);
const harmful = { warning: /would reach (os|posix)\.system/ };

const archives: HostileFile[] = [
  bytes("PyTorch: a pickle that would run a command", (canary) => saved(runsCode(canary)), harmful),
  bytes(
    "PyTorch: data.pkl twice, the last one harmful",
    (canary) => saved(pickle("}."), { name: "m/data.pkl", content: runsCode(canary) }),
    harmful,
  ),
  bytes("PyTorch: an empty pickle", saved(Buffer.alloc(0)), "error"),
  bytes("PyTorch: a pickle without an end", saved(pickle("}q\x00")), "error"),
  bytes("PyTorch: a pickle with a text of 2 GB", saved(pickle("X\xff\xff\xff\x7fabc")), "error"),
  bytes("PyTorch: a pickle with a text of 2^63 bytes", saved(pickle("\x8d", u64(2n ** 63n))), "error"),
  bytes("PyTorch: a pickle of a million marks", () => saved(pickle("(".repeat(1_000_000))), "error"),
  bytes("PyTorch: a pickle of a million nested lists", () =>
    saved(pickle("]".repeat(1_000_000), "a".repeat(999_999), ".")),
  ),
  bytes(
    "PyTorch: a module that is its own child",
    saved(
      pickle(
        "ctorch.nn.modules.container\nSequential\n)\x81q\x00}(X\x08\x00\x00\x00_modules}(X\x01\x00\x00\x000h\x00uub.",
      ),
    ),
  ),
  bytes(
    "PyTorch: a tensor of 2^1200 elements",
    saved(
      pickle(
        "}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n(NK\x00(",
        "J\xff\xff\xff\x7f".repeat(40),
        "t)tRs.",
      ),
    ),
  ),
  bytes("PyTorch: 30,000 entries", () =>
    zipBytes(Array.from({ length: 30_000 }, (_, at) => ({ name: `m/data/${at}`, content: Buffer.alloc(1) }))),
  ),
  bytes(
    "PyTorch: an encrypted pickle",
    zipBytes([{ name: "m/data.pkl", content: pickle("}."), flags: 1 }]),
    "error",
  ),
  bytes(
    "PyTorch: an unknown compression",
    zipBytes([{ name: "m/data.pkl", content: pickle("}."), method: 99 }]),
    "error",
  ),
  bytes(
    "PyTorch: a pickle that claims 4 GB",
    zipBytes([{ name: "m/data.pkl", content: pickle("}."), size: 2 ** 32 - 2 }]),
    "error",
  ),
  bytes(
    "PyTorch: an entry behind the end",
    zipBytes([{ name: "m/data.pkl", content: pickle("}."), offset: 2 ** 31 }]),
    "error",
  ),
  bytes(
    "PyTorch: 65,534 entries and one there",
    zipBytes([{ name: "m/data.pkl", content: pickle("}.") }], { count: 65_534 }),
    "error",
  ),
  bytes("PyTorch: a name that leads out", zipBytes([{ name: "../../m/data.pkl", content: pickle("}.") }])),
  bytes(
    "PyTorch: names with control characters",
    zipBytes([{ name: "m\u0000\u001b[2J/data.pkl", content: pickle("}.") }]),
  ),
  bytes(
    "PyTorch: a bomb of a pickle",
    () => zipBytes([{ name: "m/data.pkl", content: Buffer.alloc(64 * 1024 * 1024), deflate: true }]),
    "error",
  ),
  bytes(
    "PyTorch: a bomb that claims to be small",
    () =>
      zipBytes([
        { name: "m/data.pkl", content: Buffer.alloc(64 * 1024 * 1024, "N"), deflate: true, size: 100 },
      ]),
    "error",
  ),
];

const scripts: HostileFile[] = [
  bytes("TorchScript: no data.pkl", zipBytes([{ name: "m/constants.pkl", content: pickle(").") }])),
  bytes("TorchScript: a class outside of the file", script("../../../etc.passwd", "")),
  bytes("TorchScript: a signature of 8 MB", () =>
    script("__torch__", `class X(Module):\n  def forward(self: X,${"((((a: Tensor,".repeat(600_000)}`),
  ),
  bytes("TorchScript: arguments that are code", (canary) =>
    script(
      "__torch__",
      `class X(Module):\n  def forward(self: X, ${code(canary)}: Tensor="]]") -> Tensor:\n`,
    ),
  ),
  bytes("TorchScript: brackets that never close", () =>
    script(
      "__torch__",
      `class X(Module):\n  def forward(self: X, a: ${"Optional[".repeat(2000)}Tensor) -> Tensor:\n`,
    ),
  ),
];

const programs: HostileFile[] = [
  bytes("torch.export: nested lists", () => program(nestedLists(2_000_000)), "error"),
  bytes("torch.export: nested objects", () => program(nestedObjects(500_000))),
  bytes("torch.export: a nested signature", () =>
    program(`{"graph_module":{"signature":${nestedObjects(300_000)}}}`),
  ),
  bytes("torch.export: null", program("null"), "error"),
  bytes("torch.export: an object without an end", program('{"graph_module":'), "error"),
  bytes("torch.export: 40 MB of a graph", () =>
    program(`{"graph_module":{"graph":{"tensor_values":{${'"a":{},'.repeat(5_000_000)}"b":1}}}}`),
  ),
  bytes(
    "torch.export: 100,000 inputs",
    () => program(`{"graph_module":{"signature":{"input_specs":[${"{},".repeat(100_000)}{}]}}}`),
    "error",
  ),
  bytes("torch.export: a graph that claims 2 GB", program("{}", { size: 2 * GiB }), "error"),
  bytes("torch.export: names that are code, and odd sizes", (canary) =>
    program(
      JSON.stringify({
        torch_version: `"${code(canary)}\n`,
        graph_module: {
          graph: {
            tensor_values: {
              [`x"; ${code(canary)}`]: { dtype: "7", sizes: [{ as_int: -1 }, { as_expr: 3 }, 4] },
            },
          },
          signature: {
            input_specs: [{ user_input: { arg: { as_tensor: { name: `x"; ${code(canary)}` } } } }, 7, null],
            output_specs: "none",
          },
        },
        range_constraints: { s0: { min_val: {}, max_val: "\u001b[2J" } },
      }),
    ),
  ),
];

const legacy = fixture("torch/legacy.pth");
const oldForm: HostileFile[] = [
  bytes("PyTorch, old form: nothing behind its magic", legacy.subarray(0, 15), "error"),
  bytes(
    "PyTorch, old form: a pickle that would run a command",
    (canary) =>
      joined(legacy.subarray(0, 15), runsCode(canary), runsCode(canary), runsCode(canary), runsCode(canary)),
    harmful,
  ),
];

export const torch: HostileFile[] = [
  ...mutations("torch/scripted.pt"),
  ...mutations("torch/exported.pt2"),
  ...mutations("torch/module.pt"),
  ...mutations("torch/legacy.pth"),
  ...archives,
  ...scripts,
  ...programs,
  ...oldForm,
];
