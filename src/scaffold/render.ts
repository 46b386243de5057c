import ejs from "ejs";
import { messageOf, UserError } from "../errors.js";

/**
 * Renders one EJS text. Only the given variables are there: one that is not is an error, never an empty
 * string. The results are code and YAML, so nothing is escaped for HTML.
 */
export function renderText(text: string, variables: Readonly<Record<string, string>>, file: string): string {
  try {
    const render = ejs.compile(text, {
      strict: true,
      destructuredLocals: Object.keys(variables),
      escape: (value: unknown) => String(value),
    });
    return render({ ...variables });
  } catch (error) {
    const reason = messageOf(error).trim().split("\n").at(-1) ?? "";
    throw new UserError("template", `The template file ${file} cannot be rendered.`, {
      why: `${reason.trim()}.`,
      hint: `A template may use the variables ${Object.keys(variables).join(", ")}.`,
      cause: error,
    });
  }
}
