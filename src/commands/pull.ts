import { formatBytes, formatDuration } from "../ui/format.js";
import type { Define } from "./command.js";

interface Flags {
  to: string;
  platform?: string;
  insecure?: boolean;
}

const define: Define = (command, run) => {
  command
    .argument("<image>", "registry.example/you/digits@sha256:... or :tag")
    .requiredOption("--to <dir>", "Folder for the model files")
    .option("--platform <os/arch>", "Of an image for several platforms; default: this machine's")
    .option("--insecure", "Speak plain HTTP to a registry that is not on this machine")
    .action(
      run(async (context, reference: string, { to, platform, insecure }: Flags) => {
        const { pullWeights } = await import("../image/pull.js");
        const { cwd, env, report, signal } = context;
        const pulled = await pullWeights({ cwd, env, report, signal, reference, to, platform, insecure });
        context.report({
          type: "note",
          message: `Pulled ${pulled.files.length} files · ${formatBytes(pulled.bytesReceived)} received · ${formatDuration(pulled.seconds)}`,
        });
        return { json: { ...pulled }, text: pulled.to };
      }),
    );
};

export default define;
