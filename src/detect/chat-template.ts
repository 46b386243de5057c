import { join } from "node:path";
import { textFile } from "./folder-files.js";
import { isRecord, textAt } from "./json.js";
import type { SourceFolder } from "./reader.js";

const largestTemplate = 1024 * 1024;

/** In a file of its own since transformers 5, in the tokenizer's configuration before. */
export async function chatTemplateOf(
  folder: SourceFolder,
  tokenizer: Readonly<Record<string, unknown>>,
): Promise<string | undefined> {
  const name = "chat_template.jinja";
  if (folder.files.includes(name)) return await textFile(join(folder.path, name), largestTemplate);
  const stated = tokenizer.chat_template;
  if (!Array.isArray(stated)) return textAt(tokenizer, "chat_template");
  const named = stated.filter(isRecord);
  const chosen = named.find((one) => one.name === "default") ?? named[0];
  return textAt(chosen, "template");
}
