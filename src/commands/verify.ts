import { type Define, surroundings } from "./command.js";

interface Flags {
  key?: string;
  deep?: boolean;
  imageOnly?: boolean;
  base?: string;
  insecure?: boolean;
}

const marks = { ok: "ok  ", warning: "look", failed: "FAIL", skipped: "-   " } as const;

const define: Define = (command, run) => {
  command
    .argument("<image>", "registry.example/you/digits@sha256:...")
    .option("--key <file>", "Public key that the image has to be signed with (cosign.pub)")
    .option("--deep", "Read every layer again, instead of asking for the sizes")
    .option("--image-only", "Look only at the image, not at the project here")
    .option("--base <image>", "Base image that the project was built on, if not its own")
    .option("--insecure", "Speak plain HTTP to a registry that is not on this machine")
    .action(
      run(async (context, reference: string, flags: Flags) => {
        const { verifyImage } = await import("../image/verify.js");
        const { key, deep = false, imageOnly = false, base, insecure } = flags;
        const verified = await verifyImage({
          ...surroundings(context),
          reference,
          key,
          deep,
          imageOnly,
          base,
          insecure,
        });
        const lines = verified.checks.flatMap(({ name, status, message, hint, details = [] }) => [
          `${marks[status]}  ${name.padEnd(12)}  ${message}`,
          ...[...details, ...(hint ? [hint] : [])].map((line) => `      ${" ".repeat(12)}  ${line}`),
        ]);
        return {
          json: { ...verified },
          text: lines.join("\n"),
          exitCode: verified.ok ? 0 : 1,
        };
      }),
    );
};

export default define;
