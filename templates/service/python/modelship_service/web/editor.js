// The JSON editor: a text area that says at once what is wrong, where Tab indents and Escape leaves.
import { el, newId } from "./dom.js";

const INDENT = "  ";

export function jsonEditor(changed, leave) {
  const [hint, problem] = [newId(), newId()];
  const area = el("textarea", {
    id: "json",
    className: "code editor",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    "aria-label": "Request as JSON",
    "aria-describedby": `${hint} ${problem}`,
  });
  const verdict = el("p", { id: problem, className: "verdict", role: "status" });
  let value;
  const check = () => {
    try {
      value = JSON.parse(area.value);
      verdict.textContent = "Valid JSON";
      area.removeAttribute("aria-invalid");
      return true;
    } catch (error) {
      verdict.textContent = `Not JSON yet${where(error.message, area.value)}`;
      area.setAttribute("aria-invalid", "true");
      return false;
    }
  };
  area.oninput = () => {
    if (check()) changed(value);
  };
  area.onkeydown = (event) => {
    if (event.key === "Escape") return leave();
    if (event.key !== "Tab" || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (event.shiftKey) outdent(area);
    else area.setRangeText(INDENT, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
  };
  return {
    node: el(
      "div",
      { className: "field" },
      area,
      el(
        "div",
        { className: "field-head" },
        verdict,
        el("p", { id: hint, className: "hint" }, "Tab indents, Esc leaves"),
      ),
    ),
    get text() {
      return area.value;
    },
    /** False where the text is no JSON. */
    check,
    write(text) {
      area.value = text;
      area.rows = Math.min(Math.max(text.split("\n").length + 1, 8), 22);
      check();
    },
    focus: () => area.focus(),
  };
}

function outdent(area) {
  const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
  const spaces = /^ {0,2}/.exec(area.value.slice(start))[0].length;
  const caret = area.selectionStart;
  area.setRangeText("", start, start + spaces, "preserve");
  area.selectionStart = area.selectionEnd = Math.max(start, caret - spaces);
}

/** Browsers say it in ways of their own: as a line and a column, as a position, or not at all. */
function where(message, text) {
  const line = /line (\d+) column (\d+)/.exec(message);
  if (line) return `: see line ${line[1]}, column ${line[2]}`;
  const position = /position (\d+)/.exec(message);
  if (!position) return text.trim() === "" ? ": it is empty" : "";
  const before = text.slice(0, Number(position[1])).split("\n");
  return `: see line ${before.length}, column ${before.at(-1).length + 1}`;
}
