// Building the page. Names, labels, answers and errors come out of a model and are hostile: they become text nodes
// and attributes that run nothing, and no text is ever parsed as HTML.

let lastId = 0;
export const newId = () => `part-${++lastId}`;

/** An element. Functions become handlers; `undefined` and `false` leave a property out. */
export function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function" || name === "className" || name === "value") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return node;
}

export const byId = (id) => document.getElementById(id);

export function show(node, visible) {
  node.hidden = !visible;
}

/** A short text for those who do not see the page. */
export function announce(text) {
  byId("announcer").textContent = text;
}

export function copyButton(text, what) {
  const button = el("button", { type: "button", className: "quiet", "aria-label": `Copy ${what}` }, "Copy");
  button.onclick = async () => {
    const copied = await copy(text());
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    announce(copied ? `${what} copied` : "Copying is not allowed here");
    setTimeout(() => {
      button.textContent = "Copy";
    }, 1500);
  };
  return button;
}

/** Without https a browser has no clipboard for scripts; a selection can still be copied. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { value: text, className: "off-screen", readonly: true });
    document.body.append(area);
    const focused = document.activeElement;
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return copied;
  }
}

/** Tabs as the ARIA pattern has them: one stop for Tab, arrows inside. `options` are [value, label]. */
export function tabs(label, options, panel, choose) {
  const buttons = options.map(([value, text]) =>
    el(
      "button",
      { type: "button", role: "tab", id: newId(), "aria-controls": panel.id, "data-value": value },
      text,
    ),
  );
  const select = (value, focus) => {
    for (const button of buttons) {
      const on = button.dataset.value === value;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      if (on) panel.setAttribute("aria-labelledby", button.id);
      if (on && focus) button.focus();
    }
  };
  const pick = (button, focus) => {
    if (choose(button.dataset.value) !== false) select(button.dataset.value, focus);
  };
  for (const button of buttons) button.onclick = () => pick(button);
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const list = el("div", { role: "tablist", "aria-label": label, className: "tabs" }, buttons);
  list.onkeydown = (event) => {
    const at = buttons.indexOf(event.target);
    const ends = { Home: 0, End: buttons.length - 1 };
    const to = ends[event.key] ?? (steps[event.key] && at + steps[event.key]);
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    pick(buttons.at(to % buttons.length), true);
  };
  panel.setAttribute("role", "tabpanel");
  select(options[0][0]);
  return { node: list, select };
}

/** JSON for reading: lists of numbers and words in lines, square ones in rows. */
export function pretty(value, indent = "") {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    if (value.every((item) => typeof item !== "object" || item === null)) return prettyList(value, indent);
    return `[\n${value.map((item) => inner + pretty(item, inner)).join(",\n")}\n${indent}]`;
  }
  if (value !== null && typeof value === "object") {
    const lines = Object.entries(value).map(
      ([key, item]) => `${inner}${JSON.stringify(key)}: ${pretty(item, inner)}`,
    );
    return lines.length === 0 ? "{}" : `{\n${lines.join(",\n")}\n${indent}}`;
  }
  return JSON.stringify(value) ?? "null";
}

function prettyList(items, indent) {
  const texts = items.map((item) => JSON.stringify(item));
  const whole = `[${texts.join(", ")}]`;
  const side = Math.sqrt(items.length);
  const square = Number.isInteger(side) && side >= 4 && items.every((item) => typeof item === "number");
  if (!square && whole.length + indent.length <= 78) return whole;
  const width = Math.max(...texts.map((text) => text.length));
  const perLine = square ? side : Math.max(1, Math.floor((76 - indent.length) / (width + 2)));
  const lines = [];
  for (let at = 0; at < texts.length; at += perLine) {
    const row = texts.slice(at, at + perLine);
    lines.push(`${indent}  ${(square ? row.map((text) => text.padStart(width)) : row).join(", ")}`);
  }
  return `[\n${lines.join(",\n")}\n${indent}]`;
}
