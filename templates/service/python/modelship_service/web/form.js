// A form made from the JSON Schema of a row. The service is the one judge of what is valid: a form only reads what
// was typed, says what is expected, and marks what the service refused.
import { el, newId, show } from "./dom.js";
import { nestedList, numberList, readFile } from "./form-lists.js";
import { inWords, isObject, kindOf, own, put, resolve } from "./schema.js";

/** What was typed cannot be read as what the field takes. */
export class Unreadable extends Error {
  constructor(path, message) {
    super(message);
    this.path = path;
  }
}

/** `node` for the page; `write(row)` fills it in, `read()` gives the row back, `mark(path, rule)` shows what was wrong. */
export function buildForm(schema, changed) {
  const fields = new Map();
  const context = { root: schema, changed, fields };
  const whole = resolve(schema, schema);
  const top =
    kindOf(whole, schema) === "group"
      ? group(whole, "", 0, context)
      : field("input", whole, true, "", 0, context);
  return {
    node: top.node,
    write(row) {
      clearMarks(fields);
      top.write(row);
    },
    read: () => top.read(),
    clear: () => clearMarks(fields),
    /** The field that a path such as `address.lines[2]` lies in. */
    find(path) {
      const known = [...fields.keys()].filter(
        (name) => path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`),
      );
      return fields.get(known.sort((a, b) => b.length - a.length)[0] ?? "");
    },
  };
}

function clearMarks(fields) {
  for (const one of fields.values()) one.mark("");
}

function group(schema, path, depth, context) {
  const required = new Set(schema.required ?? []);
  let before = {};
  const parts = Object.entries(schema.properties).map(([name, part]) => {
    const inner = resolve(part, context.root);
    const at = path ? `${path}.${name}` : name;
    return [name, field(name, inner, required.has(name), at, depth + 1, context)];
  });
  return {
    node: el("div", { className: "fields" }, ...parts.map(([, part]) => part.node)),
    write(value) {
      before = isObject(value) ? value : {};
      for (const [name, part] of parts) part.write(own(before, name));
    },
    read() {
      const row = { ...before };
      for (const [name, part] of parts) {
        const value = part.read();
        if (value === undefined) delete row[name];
        else put(row, name, value);
      }
      return row;
    },
  };
}

/** A label, what is expected, the control, and room for what was wrong. */
function field(name, schema, required, path, depth, context) {
  const kind = kindOf(schema, context.root, depth);
  if (kind === "group") return nested(name, schema, required, path, depth, context);
  const ids = { control: newId(), hint: newId(), error: newId() };
  const place = {
    name,
    schema,
    required,
    path,
    id: ids.control,
    root: context.root,
    changed: context.changed,
  };
  const control = CONTROLS[kind](place);
  const error = el("p", { id: ids.error, className: "wrong", hidden: true });
  const input = control.input;
  input.id = ids.control;
  input.setAttribute("aria-describedby", `${ids.hint} ${ids.error}`);
  if (required) input.setAttribute("aria-required", "true");
  const hint = [schema.description, inWords(schema, context.root)].filter(Boolean).join(" · ");
  const mark = (rule) => {
    error.textContent = rule;
    show(error, rule !== "");
    if (rule) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  input.addEventListener("input", () => {
    mark("");
    context.changed();
  });
  context.fields.set(path, { mark, focus: () => input.focus() });
  const label = el(
    "label",
    { for: ids.control },
    name,
    required ? "" : el("span", { className: "soft" }, " optional"),
  );
  const node = el(
    "div",
    { className: `field field-${kind}` },
    el("div", { className: "field-head" }, label, control.extra),
    el("p", { id: ids.hint, className: "hint" }, hint),
    control.node ?? input,
    error,
  );
  const leftOut = () => (required && schema.nullable ? null : undefined);
  return {
    node,
    write: (value) => control.write(value),
    read() {
      try {
        return control.read() ?? leftOut();
      } catch (problem) {
        throw new Unreadable(path, problem.message);
      }
    },
  };
}

/** An object in the object; one that may be left out has a box to tick. */
function nested(name, schema, required, path, depth, context) {
  const inner = group(schema, path, depth, context);
  const box = el("input", { type: "checkbox", id: newId() });
  const free = !required || schema.nullable;
  const toggle = () => show(inner.node, !free || box.checked);
  box.onchange = () => {
    toggle();
    context.changed();
  };
  const legend = free
    ? el(
        "legend",
        null,
        el(
          "label",
          { for: box.id, className: "tick" },
          box,
          name,
          el("span", { className: "soft" }, " optional"),
        ),
      )
    : el("legend", null, name);
  const hint = schema.description ? el("p", { className: "hint" }, schema.description) : undefined;
  return {
    node: el("fieldset", null, legend, hint, inner.node),
    write(value) {
      box.checked = isObject(value);
      toggle();
      inner.write(value);
    },
    read: () => (!free || box.checked ? inner.read() : required ? null : undefined),
  };
}

const CONTROLS = {
  choice({ schema, required }) {
    const values = schema.enum ?? [schema.const];
    const free = !required || schema.nullable;
    const options = values.map((value, at) => el("option", { value: String(at) }, textOf(value)));
    const input = el("select", null, free ? el("option", { value: "" }, "left out") : undefined, options);
    return {
      input,
      write(value) {
        const at = values.indexOf(value);
        input.value = at >= 0 ? String(at) : free ? "" : "0";
      },
      read: () => (input.value === "" ? undefined : values[Number(input.value)]),
    };
  },

  flag(place) {
    const { schema, required } = place;
    if (!required || schema.nullable)
      return CONTROLS.choice({ ...place, schema: { ...schema, enum: [true, false] } });
    const input = el("input", { type: "checkbox" });
    return {
      input,
      write(value) {
        input.checked = value === true;
      },
      read: () => input.checked,
    };
  },

  number({ schema }) {
    const input = el("input", {
      type: "number",
      step: schema.multipleOf ?? (schema.type === "integer" ? 1 : "any"),
      min: schema.minimum ?? schema.exclusiveMinimum,
      max: schema.maximum ?? schema.exclusiveMaximum,
      placeholder: fallback(schema),
      autocomplete: "off",
    });
    return {
      input,
      write(value) {
        input.value = typeof value === "number" ? String(value) : "";
      },
      read() {
        if (input.validity.badInput) throw new Error("This is not a number.");
        return input.value === "" ? undefined : Number(input.value);
      },
    };
  },

  text({ schema, required }) {
    const input = el("textarea", {
      rows: (schema.maxLength ?? 0) > 200 ? 3 : 1,
      autocomplete: "off",
      placeholder: fallback(schema),
    });
    return {
      input,
      write(value) {
        input.value = typeof value === "string" ? value : "";
      },
      read: () => (input.value === "" && (!required || schema.nullable) ? undefined : input.value),
    };
  },

  file: readFile,
  numbers: numberList,

  lines({ required }) {
    const input = el("textarea", { rows: 3, autocomplete: "off", placeholder: "one a line" });
    return {
      input,
      write(value) {
        input.value = Array.isArray(value) ? value.join("\n") : "";
      },
      read: () => (input.value === "" ? (required ? [] : undefined) : input.value.split("\n")),
    };
  },

  json: nestedList,
};

/** What holds when a field is left empty. */
const fallback = ({ default: value }) => (value === undefined || value === null ? undefined : textOf(value));

const textOf = (value) => (typeof value === "string" ? value : JSON.stringify(value));
