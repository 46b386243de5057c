// The request that is being made: one row or many, in a form or as JSON; both show the same value.
import { byId, el, pretty, show, tabs } from "./dom.js";
import { jsonEditor } from "./editor.js";
import { buildForm, Unreadable } from "./form.js";
import { isObject, own, sample } from "./schema.js";

const ROWS_SHOWN = 12;

export class RequestPanel {
  #rows = [];
  #at = 0;
  #many = false;
  #mode = "form";
  #card;
  #example;
  #form;
  #changed;
  #body = byId("request-body");
  #editor = jsonEditor(
    (value) => {
      this.#take(value);
      this.#changed();
    },
    () => byId("send").focus(),
  );

  /** `changed` is called when the request is another. */
  constructor(changed) {
    this.#changed = changed;
    const views = [
      ["form", "Form"],
      ["json", "JSON"],
    ];
    this.tabs = tabs("How to write the request", views, this.#body, (mode) => this.#switch(mode));
    byId("request-tools").append(this.tabs.node);
    byId("add-row").onclick = () => this.#add();
    byId("reset").onclick = () => {
      this.#take(structuredClone(this.#example));
      this.#draw();
    };
  }

  /** A row that has a field named `rows` would be taken for many. */
  get #enveloped() {
    return own(this.#card.input.properties, "rows") !== undefined;
  }

  /** A model that takes the same as before leaves the request as it is. */
  use(card, example) {
    const same = JSON.stringify(card.input) === JSON.stringify(this.#card?.input);
    this.#card = card;
    if (same) return this.#changed();
    this.#example = example ?? sample(card.input, card.input);
    this.#form = buildForm(card.input, () => {
      if (this.#read()) this.#changed();
    });
    this.#take(structuredClone(this.#example));
    this.#draw();
  }

  get value() {
    return this.#many || this.#enveloped ? { rows: this.#rows } : this.#rows[0];
  }

  /** What is sent: of the editor the very text, whose numbers may be longer than this page's. Undefined while it is wrong. */
  get text() {
    if (this.#mode === "form") return this.#read(true) ? JSON.stringify(this.value) : undefined;
    if (this.#editor.check()) return this.#editor.text;
    this.#editor.focus();
    return undefined;
  }

  #take(value) {
    const rows = isObject(value) ? own(value, "rows") : undefined;
    this.#many = Array.isArray(rows) && rows.length > 0;
    this.#rows = this.#many ? rows : [value];
    this.#at = Math.min(this.#at, this.#rows.length - 1);
    this.#drawRows();
  }

  #switch(mode) {
    if (mode === "form" && !this.#editor.check()) {
      this.#editor.focus();
      return false;
    }
    if (mode === "json" && !this.#read()) return false;
    this.#mode = mode;
    this.#draw();
    return true;
  }

  /** From the form to the value; false where a field cannot be read, which `lead` leads to. */
  #read(lead = false) {
    try {
      this.#rows[this.#at] = this.#form.read();
    } catch (problem) {
      if (!(problem instanceof Unreadable)) throw problem;
      const field = this.#form.find(problem.path);
      field.mark(problem.message);
      if (lead) field.focus();
      return false;
    }
    return true;
  }

  #draw() {
    if (this.#mode === "form") {
      this.#form.write(this.#rows[this.#at]);
      this.#body.replaceChildren(this.#form.node);
    } else {
      this.#editor.write(pretty(this.value));
      this.#body.replaceChildren(this.#editor.node);
    }
    this.#drawRows();
    this.#changed();
  }

  #drawRows() {
    const [count, form] = [this.#rows.length, this.#mode === "form"];
    show(
      byId("add-row"),
      form && count < Math.min(this.#card.max_rows ?? 1, ROWS_SHOWN) && !this.#card.streams,
    );
    show(byId("rows"), form && count > 1);
    const pick = this.#rows.slice(0, ROWS_SHOWN).map((_, at) =>
      el(
        "button",
        {
          type: "button",
          className: "quiet",
          "aria-pressed": String(at === this.#at),
          onclick: () => this.#go(at),
        },
        `Row ${at + 1}`,
      ),
    );
    const more =
      count > ROWS_SHOWN
        ? el("span", { className: "soft" }, `and ${count - ROWS_SHOWN} more, in the JSON`)
        : "";
    const remove = el(
      "button",
      { type: "button", className: "quiet", onclick: () => this.#remove() },
      "Remove this row",
    );
    byId("rows").replaceChildren(...pick, more, remove);
  }

  #go(at) {
    if (!this.#read()) return;
    this.#at = at;
    this.#draw();
    byId("rows").children[at]?.focus();
  }

  #add() {
    if (!this.#read()) return;
    this.#rows.push(structuredClone(this.#rows[this.#at]));
    this.#many = true;
    this.#at = this.#rows.length - 1;
    this.#draw();
    byId("rows").children[this.#at].focus();
  }

  #remove() {
    this.#rows.splice(this.#at, 1);
    this.#many = this.#rows.length > 1;
    this.#at = Math.max(0, this.#at - 1);
    this.#draw();
    byId(this.#many ? "rows" : "add-row").focus();
  }

  /** Marks what the service refused; details of other rows are only listed. */
  mark(details) {
    if (this.#mode !== "form") return;
    this.#form.clear();
    for (const { path, rule } of details) {
      const { row, rest } = placeOf(String(path));
      if (row === this.#at || !this.#many) this.#form.find(rest)?.mark(String(rule));
    }
  }

  /** A click that leads to the field of a path; undefined where there is none. */
  go(path) {
    const { row, rest } = placeOf(path);
    if (this.#mode !== "form" || row >= this.#rows.length || !this.#form.find(rest)) return undefined;
    return () => {
      if (row !== this.#at) this.#go(row);
      this.#form.find(rest).focus();
    };
  }
}

/** `rows[2].pixels[3]`: the row and the place in it. */
function placeOf(path) {
  const found = /^rows\[(\d+)\]\.?(.*)$/.exec(path);
  return found ? { row: Number(found[1]), rest: found[2] } : { row: 0, rest: path };
}
