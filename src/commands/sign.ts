import { type Define, surroundings } from "./command.js";

interface Flags {
  key: string;
  insecure?: boolean;
}

const define: Define = (command, run) => {
  command
    .argument("<image>", "registry.example/you/digits@sha256:...")
    .requiredOption("--key <file>", "Private key (PEM, or cosign.key; COSIGN_PASSWORD opens it)")
    .option("--insecure", "Speak plain HTTP to a registry that is not on this machine")
    .action(
      run(async (context, reference: string, { key, insecure }: Flags) => {
        const { signImage } = await import("../image/sign.js");
        const { signal } = context;
        const askPassword = async () => {
          const { askPassword } = await import("../ui/prompts.js");
          return askPassword({ message: "Password of the key:", signal });
        };
        const signed = await signImage({
          ...surroundings(context),
          reference,
          key,
          askPassword: context.interactive ? askPassword : undefined,
          insecure,
        });
        context.report({
          type: "note",
          message: signed.sent ? `Signed: ${signed.signature}` : "It was signed with this key already.",
        });
        return { json: { ...signed }, text: signed.reference };
      }),
    );
};

export default define;
