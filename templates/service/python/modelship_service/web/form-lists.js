// The controls for lists of numbers, nested lists and files; where they are an image, it is drawn beside them.
import { el, newId, pretty, show } from "./dom.js";
import { dataUrl, drawGrid, gridOf, pixelsOf } from "./picture.js";
import { fixedShape, limitsOf, resolve } from "./schema.js";

const SHOWN = 200_000;

/** A list of numbers, written with spaces, commas or lines between them. */
export function numberList(place) {
  return listOf(place, {
    write: (value) =>
      Array.isArray(value)
        ? pretty(value)
            .replace(/^\[\n?|\n?\]$/g, "")
            .replace(/^ {2}/gm, "")
        : "",
    read(text) {
      const words = text
        .replace(/^\s*\[|\]\s*$/g, "")
        .split(/[\s,;]+/)
        .filter(Boolean);
      if (words.length === 0 && !place.required) return undefined;
      return words.map((word) => {
        const number = Number(word);
        if (Number.isNaN(number)) throw new Error(`"${word.slice(0, 20)}" is not a number.`);
        return number;
      });
    },
  });
}

export const nestedList = (place) =>
  listOf(place, {
    write: (value) => (value === undefined ? "" : pretty(value)),
    read: (text) => (text.trim() === "" ? undefined : JSON.parse(text)),
  });

function listOf(place, text) {
  const input = el("textarea", {
    className: "code",
    rows: 4,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
  });
  const count = el("span", { className: "count soft" });
  const picture = pictureBeside(place, (value) => {
    input.value = text.write(value);
    input.dispatchEvent(new Event("input"));
  });
  let large; // too much to show: kept as it is until something is typed
  const read = () => (large !== undefined ? large : text.read(input.value));
  const refresh = () => {
    let value;
    try {
      value = read();
    } catch {
      // Half typed: the picture stays as it was.
      return;
    }
    count.textContent = Array.isArray(value) ? counted(value) : "";
    picture.draw(value);
  };
  input.addEventListener("input", () => {
    large = undefined;
    refresh();
  });
  return {
    input,
    extra: count,
    node: el("div", { className: "beside" }, input, picture.node),
    write(value) {
      const written = text.write(value);
      large = written.length > SHOWN ? value : undefined;
      input.value = large === undefined ? written : "";
      input.placeholder = large === undefined ? "" : "Too much to show here. What you type replaces it.";
      input.rows = Math.min(Math.max(written.split("\n").length, 2), 10);
      refresh();
    },
    read,
  };
}

function counted(value) {
  let size = 1;
  for (let at = value; Array.isArray(at); at = at[0]) size *= at.length;
  return `${size} ${size === 1 ? "value" : "values"}`;
}

/** The image that the field's numbers make: drawn, taken from a file, and painted on where it is small. */
function pictureBeside({ name, schema, root }, put) {
  const fixed = fixedShape(schema, root);
  const limits = limitsOf(fixed?.item ?? resolve(schema.items, root));
  const canvas = el("canvas", { className: "picture", role: "img", "aria-label": `${name} as an image` });
  const file = el("input", { type: "file", accept: "image/*", className: "off-screen", id: newId() });
  const pick = el("label", { for: file.id, className: "button quiet" }, "From a file");
  const node = el(
    "div",
    { className: "picture-side", hidden: true },
    canvas,
    el("div", { className: "pick" }, file, pick),
  );
  let [shown, grid] = [];
  const draw = (value) => {
    [shown, grid] = [value, gridOf(name, schema.description, value)];
    show(node, grid !== undefined);
    canvas.title = paintable() ? "Draw with the pointer; Shift wipes" : "";
    if (grid) requestAnimationFrame(() => grid && drawGrid(canvas, grid, limits));
  };
  file.onchange = async () => {
    if (!file.files[0] || !grid) return;
    put(grid.build(await pixelsOf(file.files[0], grid, limits)));
    file.value = "";
  };
  const paintable = () => grid?.channels === 1 && grid.width <= 64 && limits.maximum !== undefined;
  const paint = (event) => {
    if (!event.buttons || !paintable()) return;
    const box = canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * grid.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * grid.height);
    const value = event.buttons === 2 || event.shiftKey ? (limits.minimum ?? 0) : limits.maximum;
    const { at } = grid;
    if (at(y, x) !== value)
      put(grid.build((row, column) => (row === y && column === x ? value : at(row, column, 0))));
  };
  canvas.onpointerdown = paint;
  canvas.onpointermove = paint;
  document.addEventListener("themechange", () => draw(shown));
  return { node, draw };
}

/** A file as base64; shown when it is an image. */
export function readFile({ schema, required, name }) {
  const input = el("input", { type: "file", accept: schema.contentMediaType });
  const image = el("img", { className: "picture", alt: `${name} as an image`, hidden: true });
  const size = el("span", { className: "count soft" });
  let value;
  const draw = () => {
    const address = dataUrl(value);
    show(image, address !== undefined);
    if (address) image.src = address;
    size.textContent = value ? `${value.length} characters of base64` : "";
  };
  input.onchange = () => {
    const reader = new FileReader();
    reader.onload = () => {
      value = reader.result.slice(reader.result.indexOf(",") + 1);
      draw();
      input.dispatchEvent(new Event("input"));
    };
    if (input.files[0]) reader.readAsDataURL(input.files[0]);
  };
  return {
    input,
    extra: size,
    node: el("div", { className: "beside" }, input, image),
    write(given) {
      value = typeof given === "string" ? given : undefined;
      draw();
    },
    read: () => value || (required ? "" : undefined),
  };
}
