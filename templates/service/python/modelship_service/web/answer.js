// The answer: drawn where that helps, JSON where it does not.
import { announce, byId, copyButton, el, pretty, show, tabs } from "./dom.js";
import { dataUrl, gridOf, gridPicture } from "./picture.js";
import { isObject } from "./schema.js";
import { errorBox } from "./session.js";

const ROWS_DRAWN = 20;
const BARS_DRAWN = 16;
const LABELS = /label|class|name|categor/i;

/** Shares of a whole: each from 0 to 1, together about 1. */
const areShares = (numbers) =>
  numbers.length > 1 &&
  numbers.every((number) => typeof number === "number" && number >= 0 && number <= 1) &&
  Math.abs(numbers.reduce((sum, number) => sum + number, 0) - 1) < 0.02;

const areScores = (object) => {
  const numbers = Object.values(object);
  return (
    numbers.length > 1 && numbers.every((number) => typeof number === "number" && number >= 0 && number <= 1)
  );
};

function bars(pairs, ordered) {
  const best = Math.max(...pairs.map(([, share]) => share));
  const sorted =
    ordered && pairs.length <= BARS_DRAWN ? pairs : pairs.toSorted((one, other) => other[1] - one[1]);
  const rows = sorted.slice(0, BARS_DRAWN).map(([label, share]) => {
    const bar = el("span", { className: "bar" });
    // Through the object model: a style attribute would need a hole in the policy.
    bar.style.inlineSize = `${Math.max(share * 100, 0.4)}%`;
    const track = el("span", { className: "track", "aria-hidden": "true" }, bar);
    const percent = el("span", { className: "percent" }, `${(share * 100).toFixed(1)} %`);
    return el(
      "li",
      { className: share === best ? "best" : "" },
      el("span", { className: "bar-label" }, label),
      track,
      percent,
    );
  });
  const left = pairs.length - rows.length;
  return el(
    "div",
    null,
    el("ol", { className: "bars" }, rows),
    left > 0 ? el("p", { className: "hint" }, `and ${left} smaller`) : undefined,
  );
}

/** What a value looks like. `beside` is the object that it lies in, where labels may be. */
export function drawn(name, value, beside = {}) {
  const address = dataUrl(value);
  if (address) return el("img", { className: "picture", src: address, alt: name });
  if (value === "") return el("p", { className: "soft" }, "empty");
  if (typeof value === "string") return el("p", { className: "text" }, value);
  if (typeof value === "number") return el("p", { className: "figure" }, short(value));
  if (typeof value === "boolean") return el("p", { className: "figure" }, value ? "yes" : "no");
  if (value === null) return el("p", { className: "soft" }, "nothing");
  if (Array.isArray(value) && areShares(value)) {
    const found = Object.entries(beside).find(
      ([key, list]) => LABELS.test(key) && Array.isArray(list) && list.length === value.length,
    );
    return bars(
      value.map((share, at) => [String(found ? found[1][at] : at), share]),
      true,
    );
  }
  const grid = gridOf(name, "", value);
  if (grid) return gridPicture(grid, {}, name);
  if (isObject(value) && areScores(value)) return bars(Object.entries(value), false);
  if (isObject(value) && Object.keys(value).length > 0) return parts(value);
  const text = pretty(value);
  return text.includes("\n") ? el("pre", { tabindex: "0" }, text) : el("p", null, el("code", null, text));
}

const short = (number) => (Number.isInteger(number) ? String(number) : String(Number(number.toPrecision(6))));

function parts(object) {
  return el(
    "dl",
    { className: "parts" },
    Object.entries(object).map(([name, value]) =>
      el("div", null, el("dt", null, name), el("dd", null, drawn(name, value, object))),
    ),
  );
}

function drawnRows(body) {
  if (!isObject(body) || !Array.isArray(body.rows)) return [drawn("answer", body)];
  const shown = body.rows
    .slice(0, ROWS_DRAWN)
    .map((row, at) =>
      el("section", { className: "answer-row" }, el("h3", null, `Row ${at + 1}`), drawn("answer", row)),
    );
  const left = body.rows.length - shown.length;
  return left > 0 ? [...shown, el("p", { className: "hint" }, `and ${left} more, in the JSON`)] : shown;
}

/** Few words for a screen reader: the plain values, not 64 numbers. */
function spoken(body) {
  if (!isObject(body)) return "";
  const plain = Object.entries(body).filter(([, value]) =>
    ["number", "string", "boolean"].includes(typeof value),
  );
  return plain
    .slice(0, 4)
    .map(([name, value]) => `${name}: ${String(value).slice(0, 80)}`)
    .join(", ");
}

/** The panel on the right: one answer at a time. */
export class AnswerPanel {
  #body = byId("answer-body");
  #meta = byId("answer-meta");
  #text = "";
  #view = "drawn";
  #last = () => [];

  constructor() {
    const views = [
      ["drawn", "Result"],
      ["json", "JSON"],
    ];
    const bar = tabs("How to show the answer", views, this.#body, (view) => {
      this.#view = view;
      this.#refresh();
    });
    this.copy = copyButton(() => this.#text, "answer");
    byId("answer-tools").append(bar.node, this.copy);
    show(byId("answer-tools"), false);
  }

  #refresh() {
    const json = () => [el("pre", { tabindex: "0" }, this.#text)];
    this.#body.replaceChildren(...(this.#view === "json" ? json() : this.#last()));
  }

  waiting() {
    this.#body.setAttribute("aria-busy", "true");
    this.#meta.replaceChildren(el("span", { className: "soft" }, "Waiting for the answer…"));
  }

  /** `facts`: status, milliseconds, bytes and request id of what came. */
  #facts({ status, ms, bytes, id, note }) {
    const good = status >= 200 && status < 300;
    const fact = (label, value) =>
      el("span", { className: "fact" }, el("span", { className: "soft" }, `${label} `), value);
    this.#meta.replaceChildren(
      ...(status ? [el("span", { className: `chip ${good ? "good" : "bad"}` }, String(status))] : []),
      fact("time", el("span", { id: "latency" }, `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`)),
      ...(bytes === undefined ? [] : [fact("size", sized(bytes))]),
      ...(note ? [el("span", { className: "fact" }, note)] : []),
      ...(id ? [fact("request", el("code", { id: "request-id" }, id))] : []),
    );
    this.#body.removeAttribute("aria-busy");
  }

  answer(body, text, facts) {
    this.#text = body === undefined ? text : pretty(body);
    this.#last = () => (body === undefined ? [el("pre", { tabindex: "0" }, text)] : drawnRows(body));
    show(byId("answer-tools"), true);
    this.#facts(facts);
    this.#refresh();
    announce(`Answer ${facts.status} after ${Math.round(facts.ms)} milliseconds. ${spoken(body)}`);
  }

  failed(error, facts, go) {
    show(byId("answer-tools"), false);
    this.#facts(facts);
    this.#body.replaceChildren(errorBox(error, go));
    announce(`Failed${facts.status ? ` with ${facts.status}` : ""}: ${error.message}`);
  }

  /** For events that come one by one; texts run on, other values stand below one another. */
  stream() {
    const list = el("div", { className: "stream" });
    const values = [];
    let run;
    this.#last = () => [list];
    this.#text = "";
    show(byId("answer-tools"), true);
    this.#refresh();
    return {
      add: (value) => {
        values.push(value);
        this.#text = values.map((one) => JSON.stringify(one)).join("\n");
        const piece = pieceOf(value);
        if (piece === undefined) {
          run = undefined;
          list.append(el("div", { className: "stream-item" }, drawn("answer", value)));
        } else {
          run ??= list.appendChild(el("p", { className: "text" }));
          run.append(piece);
        }
        if (this.#view === "json") this.#refresh();
      },
      progress: (facts) => {
        this.#facts({ ...facts, note: `${values.length} ${values.length === 1 ? "event" : "events"}` });
      },
      end: (facts, error, note) => {
        this.#facts({
          ...facts,
          note: [`${values.length} ${values.length === 1 ? "event" : "events"}`, note]
            .filter(Boolean)
            .join(", "),
        });
        if (error) list.append(errorBox(error));
        announce(
          error ? `The stream failed: ${error.message}` : `The stream ended after ${values.length} events`,
        );
      },
    };
  }
}

/** A piece of a text: a string, or an object that holds one string and nothing else. */
function pieceOf(value) {
  if (typeof value === "string") return value;
  const values = isObject(value) ? Object.values(value) : [];
  return values.length === 1 && typeof values[0] === "string" ? values[0] : undefined;
}

const sized = (bytes) => (bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`);
