import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Path of something inside the installed package, such as `templates/projects`. */
export function packagePath(relative: string): string {
  return fileURLToPath(new URL(`../${relative}`, import.meta.url));
}

/** The version in package.json. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(packagePath("package.json"), "utf8")) as { version: string };
  return manifest.version;
}
