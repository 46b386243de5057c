import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../errors.js";

/** The packages of package.json are the user's to install, as editors and tests need them too. Throws UserError. */
export async function checkNodeModules(root: string): Promise<void> {
  const { dependencies = {} } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) {
    const there = await stat(join(root, "node_modules", name)).catch(() => undefined);
    if (there) continue;
    throw new UserError("project_file", `The package ${name} is not installed.`, {
      why: "package.json lists it, and node_modules does not have it.",
      hint: "Run `npm install` in the project.",
    });
  }
}
