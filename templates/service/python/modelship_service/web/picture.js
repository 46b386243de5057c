// Images: found in values by what the schema and the names say, and drawn on a canvas.
import { el } from "./dom.js";

const WORDS = /pixel|image|img|picture|photo|mask|bitmap/i;
const SIGNATURES = { iVBORw0KGgo: "png", "/9j/": "jpeg", R0lGOD: "gif", UklGR: "webp" };
const MAX_SIDE = 1024;

/** The address of an image that came as base64, with or without `data:` before it. */
export function dataUrl(value) {
  if (typeof value !== "string" || value.length < 40) return undefined;
  if (/^data:image\/(png|jpeg|gif|webp);base64,/.test(value)) return value;
  const found = Object.keys(SIGNATURES).find((start) => value.startsWith(start));
  return found && `data:image/${SIGNATURES[found]};base64,${value}`;
}

const list = (length, make) => Array.from({ length }, (_, at) => make(at));

/** How the numbers of an image lie in `value`, and how others are laid out alike; undefined when it is no image. */
export function gridOf(name, description, value) {
  const shape = Array.isArray(value) ? shapeOf(value) : undefined;
  if (!shape) return undefined;
  const named = WORDS.test(name) || WORDS.test(description ?? "");
  const fits = (height, width) => Math.min(height, width) >= 4 && Math.max(height, width) <= MAX_SIDE;
  const grid = (height, width, channels, at, build) => ({ height, width, channels, at, build });
  const [a, b, c] = shape;
  if (shape.length === 1) {
    const side = Math.sqrt(a);
    if (!named || !Number.isInteger(side) || !fits(side, side)) return undefined;
    const at = (y, x) => value[y * side + x];
    return grid(side, side, 1, at, (pixel) => list(a, (i) => pixel(Math.floor(i / side), i % side, 0)));
  }
  if (shape.length === 2 && named && fits(a, b)) {
    const at = (y, x) => value[y][x];
    return grid(a, b, 1, at, (pixel) => list(a, (y) => list(b, (x) => pixel(y, x, 0))));
  }
  if (shape.length === 3 && (a === 3 || a === 1) && fits(b, c)) {
    const at = (y, x, channel) => value[channel][y][x];
    return grid(b, c, a, at, (pixel) =>
      list(a, (channel) => list(b, (y) => list(c, (x) => pixel(y, x, channel)))),
    );
  }
  if (shape.length === 3 && (c === 3 || c === 1) && fits(a, b)) {
    const at = (y, x, channel) => value[y][x][channel];
    return grid(a, b, c, at, (pixel) =>
      list(a, (y) => list(b, (x) => list(c, (channel) => pixel(y, x, channel)))),
    );
  }
  return undefined;
}

/** The sizes of nested lists that are all of the same length, down to numbers. */
function shapeOf(value) {
  if (typeof value === "number") return [];
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const inner = shapeOf(value[0]);
  if (!inner) return undefined;
  const alike =
    inner.length === 0 ? isNumber : (item) => Array.isArray(item) && sameShape(shapeOf(item), inner);
  return value.every(alike) ? [value.length, ...inner] : undefined;
}
const isNumber = (item) => typeof item === "number";
const sameShape = (one, other) => one?.length === other.length && one.every((size, at) => size === other[at]);

/** One channel is drawn as ink on paper, whatever the colours of the page; three are red, green and blue. */
export function drawGrid(canvas, grid, limits = {}) {
  const { height, width, channels } = grid;
  let [low, high] = [limits.minimum, limits.maximum];
  if (low === undefined || high === undefined) [low, high] = extremes(grid);
  const share = (number) => (high > low ? (number - low) / (high - low) : 0);
  const ink = getComputedStyle(canvas)
    .color.match(/[\d.]+/g)
    .map(Number);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const to = (y * width + x) * 4;
      const colour =
        channels === 3
          ? [0, 1, 2].map((channel) => 255 * share(grid.at(y, x, channel))).concat(255)
          : [...ink.slice(0, 3), 255 * share(grid.at(y, x, 0))];
      image.data.set(colour, to);
    }
  }
  context.putImageData(image, 0, 0);
}

function extremes({ height, width, channels, at }) {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < channels; channel++) {
        low = Math.min(low, at(y, x, channel));
        high = Math.max(high, at(y, x, channel));
      }
    }
  }
  return [low, high];
}

/** A canvas with the image in it. */
export function gridPicture(grid, limits, label) {
  const canvas = el("canvas", { className: "picture", role: "img", "aria-label": label });
  const draw = () => drawGrid(canvas, grid, limits);
  // Colours are known once it is in the page.
  requestAnimationFrame(draw);
  return canvas;
}

/** The pixels of a file, scaled to what the model takes: numbers by row, for one channel or by channel for three. */
export async function pixelsOf(file, { height, width, channels }, { minimum = 0, maximum = 1 }) {
  const bitmap = await createImageBitmap(file);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const scaled = (share) => Number((minimum + share * (maximum - minimum)).toFixed(4));
  return (y, x, channel) => {
    const [red, green, blue] = data.subarray((y * width + x) * 4);
    return scaled(
      (channels === 3 ? [red, green, blue][channel] : 0.299 * red + 0.587 * green + 0.114 * blue) / 255,
    );
  };
}
