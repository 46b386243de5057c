import { Option } from "commander";
import { UserError } from "../errors.js";
import { type FaceKind, faceKinds } from "../image/push/face-kinds.js";
import { formatBytes, formatDuration, formatRate } from "../ui/format.js";
import { type Define, surroundings } from "./command.js";

interface Flags {
  image?: string;
  from?: string;
  insecure?: boolean;
  base?: string;
  cuda?: string;
  network?: string;
  platform?: string;
  also?: FaceKind[];
  attest: boolean;
}

const define: Define = (command, run) => {
  command
    .argument("[reference...]", "Where to: registry.example/you/digits[:tag]; default: image.repository")
    .option("--image <image>", "Push this image as it is, without bringing the project's up to date")
    .option(
      "--also <kinds>",
      `Publish the weights, under tags of their own, as: ${faceKinds.join(", ")}`,
      kinds,
    )
    .option("--no-attest", "Put no SBOM and no provenance beside the image")
    .addOption(
      new Option("--from <path>", "Push an OCI layout or a docker archive; no engine is asked").conflicts(
        "image",
      ),
    )
    .option(
      "--platform <os/arch>",
      "Platforms to make the image for, with commas between them; default: image.platforms",
    )
    .option("--insecure", "Speak plain HTTP to a registry that is not on this machine")
    .option("--base <image>", "Base image, if the image has to be built first")
    .option("--cuda <cuda>", "CUDA of the image: auto, none, a version such as 12.8, base, runtime, devel")
    .option("--network <mode>", "Network of the build's steps, if the image has to be built first")
    .action(
      run(async (context, references: string[], flags: Flags) => {
        const { pushProject } = await import("../image/push.js");
        const { pushed, seconds } = await pushProject({
          ...surroundings(context),
          references,
          image: flags.image,
          from: flags.from,
          insecure: flags.insecure ?? false,
          base: flags.base,
          cuda: flags.cuda,
          network: flags.network,
          platform: flags.platform,
          also: flags.also ?? [],
          attest: flags.attest,
        });
        const sum = (field: "bytesSent" | "bytesSkipped" | "bytesMounted") =>
          pushed.reduce((total, one) => total + one[field], 0);
        const bytesSent = sum("bytesSent");
        const bytesSkipped = sum("bytesSkipped");
        const bytesMounted = sum("bytesMounted");
        const moved = [
          `${formatBytes(bytesSent)} sent`,
          `${formatBytes(bytesSkipped)} already there`,
          ...(bytesMounted > 0 ? [`${formatBytes(bytesMounted)} mounted`] : []),
        ];
        const took =
          formatDuration(seconds) + (bytesSent > 1e6 ? ` (${formatRate(bytesSent / seconds)})` : "");
        context.report({
          type: "note",
          message: `Pushed ${pushed.map((one) => one.reference).join(", ")} · ${moved.join(", ")} · ${took}`,
        });
        const names = pushed.map(({ reference, digest }) => `${reference.replace(/:[^:/]+$/, "")}@${digest}`);
        const first = pushed[0];
        return {
          json: {
            reference: names[0],
            digest: first?.digest,
            bytesSent,
            bytesSkipped,
            bytesMounted,
            seconds,
            pushed: pushed.map((one) => ({ ...one })),
          },
          text: [...new Set(names)].join("\n"),
        };
      }),
    );
};

export default define;

/** `weights,modelpack`, or the option several times. */
function kinds(text: string, before: readonly FaceKind[] = []): FaceKind[] {
  const found = text.split(",").map((word) => {
    const kind = faceKinds.find((one) => one === word.trim());
    if (kind) return kind;
    throw new UserError("usage", `--also does not know "${word}".`, {
      hint: `It takes ${faceKinds.join(", ")}, with commas between them.`,
    });
  });
  return [...before, ...found];
}
