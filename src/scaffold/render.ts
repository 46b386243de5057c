import ejs from "ejs";
import { messageOf, UserError } from "../errors.js";
import type { Renderer } from "./plan.js";

/** For the files of our own templates that end in `.ejs`. */
export function ejsRenderer(variables: Readonly<Record<string, unknown>>): Renderer {
  return { extension: ".ejs", render: (text, file) => renderText(text, variables, file) };
}

/**
 * Renders one EJS text, which is code: only for templates of our own. Only the given variables are there: one that
 * is not is an error, never an empty string. The results are code and YAML, so nothing is escaped for HTML.
 */
function renderText(text: string, variables: Readonly<Record<string, unknown>>, file: string): string {
  try {
    const render = ejs.compile(text, {
      strict: true,
      destructuredLocals: Object.keys(variables),
      escape: (value: unknown) => {
        if (value === undefined || value === null) throw new Error("a value is not there");
        return String(value);
      },
    });
    return render({ ...variables });
  } catch (error) {
    // EJS shows the place before what went wrong as it renders, and gives advice after what is no JavaScript.
    const reason =
      messageOf(error)
        .trim()
        .split("\n")
        .at(error instanceof SyntaxError ? 0 : -1) ?? "";
    throw new UserError("template", `The template file ${file} cannot be rendered.`, {
      why: `${reason.trim()}.`,
      hint: `A template may use the variables ${Object.keys(variables).join(", ")}.`,
      cause: error,
    });
  }
}
