import type { Inspection } from "../image/inspect.js";
import { formatBytes } from "../ui/format.js";
import { table } from "../ui/table.js";
import type { Define } from "./command.js";

interface Flags {
  platform?: string;
  insecure?: boolean;
}

const define: Define = (command, run) => {
  command
    .argument("<image>", "An image in a registry; the engine's own are for `docker inspect`")
    .option("--platform <os/arch>", "Of an image for several platforms; default: this machine's")
    .option("--insecure", "Speak plain HTTP to a registry that is not on this machine")
    .action(
      run(async (context, reference: string, { platform, insecure }: Flags) => {
        const { inspectRemote } = await import("../image/inspect.js");
        const { env, signal } = context;
        const found = await inspectRemote({ env, signal, reference, platform, insecure });
        return { json: { ...found }, text: textOf(found) };
      }),
    );
};

export default define;

function textOf(found: Inspection): string {
  const facts = [
    ["Image", found.reference],
    [
      "Platform",
      found.platforms.length > 1
        ? `${found.platform} of ${found.platforms.join(", ")}`
        : (found.platform ?? "-"),
    ],
    ["Created", found.created ?? "-"],
    ["Size", `${formatBytes(found.size)}, of which model files ${formatBytes(found.weightsSize)}`],
    ["Base", [found.base.name ?? "-", found.base.digest].filter(Boolean).join("@")],
    ["User", found.user || "root"],
    ["Entrypoint", found.entrypoint.join(" ") || "-"],
    ["Attached", attachedText(found.attached)],
  ];
  const layers = found.layers.map(({ digest, size, compression, createdBy }) => [
    digest.slice("sha256:".length, 19),
    formatBytes(size),
    compression ?? "plain",
    clipped(createdBy.replace(/\s+/g, " ")),
  ]);
  const weights = found.weights.map(({ path, size, digest, layer }) => [
    path,
    size === null ? "-" : formatBytes(size),
    digest ?? `in the layer ${layer}`,
  ]);
  const labels = Object.entries(found.labels).sort(([one], [other]) => (one < other ? -1 : 1));
  return [
    table(facts),
    table([["LAYER", "SIZE", "FORM", "MADE BY"], ...layers]),
    ...(weights.length > 0 ? [table([["MODEL FILE", "SIZE", "DIGEST"], ...weights])] : []),
    ...(labels.length > 0 ? [table([["LABEL", "VALUE"], ...labels])] : []),
  ].join("\n\n");
}

/** `2 × signature, SBOM, provenance`. */
function attachedText(attached: Inspection["attached"]): string {
  const names = { signature: "signature", sbom: "SBOM", provenance: "provenance", other: "other document" };
  const texts = Object.entries(names).flatMap(([kind, name]) => {
    const count = attached.filter((one) => one.kind === kind).length;
    if (count === 0) return [];
    return [count === 1 ? name : `${count} × ${name}`];
  });
  return texts.join(", ") || "nothing";
}

function clipped(text: string): string {
  const plain = text.replace(/^\/bin\/sh -c (#\(nop\) +)?/, "").replace(/ # buildkit$/, "");
  return plain.length > 80 ? `${plain.slice(0, 77)}...` : plain;
}
