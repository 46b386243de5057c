import type { ImageSize } from "../image/size/size.js";
import { formatBytes } from "../ui/format.js";
import { table } from "../ui/table.js";
import { type Define, surroundings } from "./command.js";

interface Flags {
  all?: boolean;
}

const fewPackages = 15;

const define: Define = (command, run) => {
  command
    .argument("[image]", "An image of the engine (default: the project's, as it was built last)")
    .option("--all", "List every package, however small")
    .action(
      run(async (context, image: string | undefined, { all }: Flags) => {
        const { imageSize } = await import("../image/size/size.js");
        const found = await imageSize({ ...surroundings(context), image });
        return { json: { ...found }, text: textOf(found, all ?? false) };
      }),
    );
};

export default define;

function textOf(found: ImageSize, all: boolean): string {
  const share = (bytes: number) => `${Math.round((100 * bytes) / Math.max(1, found.bytes))}%`;
  const parts = found.parts
    .filter(({ bytes }) => bytes > 0)
    .map(({ name, bytes }) => [name, formatBytes(bytes), share(bytes)]);
  const rows = [
    ...found.packages.map(({ name, version, bytes }) => ({
      name: [name, version].filter(Boolean).join(" "),
      bytes,
    })),
    ...found.system.map(({ name, size }) => ({ name: `${name} (Debian)`, bytes: size })),
  ].sort((one, other) => other.bytes - one.bytes);
  const shown = all ? rows : rows.slice(0, fewPackages);
  const rest = rows.slice(shown.length);
  const packages = shown.map(({ name, bytes }) => [name, formatBytes(bytes), share(bytes)]);
  if (rest.length > 0) {
    const bytes = rest.reduce((sum, one) => sum + one.bytes, 0);
    packages.push([`${rest.length} more (--all)`, formatBytes(bytes), share(bytes)]);
  }
  const suggestions = found.suggestions.flatMap(({ message, hint, saves }) => [
    `- ${message}${saves === null ? "" : ` About ${formatBytes(saves)} less.`}`,
    `  ${hint}`,
  ]);
  return [
    table([[found.image, formatBytes(found.bytes), ""], ...parts]),
    ...(packages.length > 0 ? [table([["PACKAGE", "SIZE", ""], ...packages])] : []),
    ...(suggestions.length > 0 ? [["What would make it smaller:", ...suggestions].join("\n")] : []),
  ].join("\n\n");
}
