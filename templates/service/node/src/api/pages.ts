/** The pages for a browser: the playground and the API reference, which hold nothing of the model. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Answer } from "../http/answer.js";

const shared = ["dom.js", "session.js", "schema.js", "calls.js"];
const playgroundScripts = [
  ...["picture.js", "form-lists.js", "form.js", "editor.js", "request.js"],
  ...["answer.js", "stream.js", "chat.js", "playground.js"],
];
const link = '<a href="./">Playground</a>';

/** Path to page, put together once: the API reference, and the playground unless it is off. */
export function pages(playground: boolean): Record<string, Answer> {
  const docs = page("docs", [...shared, "docs.js"], playground ? "" : link);
  return playground
    ? { "/docs": docs, "/": page("playground", [...shared, ...playgroundScripts]) }
    : { "/docs": docs };
}

function page(name: string, scripts: readonly string[], without = ""): Answer {
  const style = ["page.css", `${name}.css`].map(read).join("\n");
  const script = scripts.map((module) => plain(read(module))).join("\n");
  const body = read(`${name}.html`)
    .replace(without, "")
    .replace("<style></style>", () => `<style>${style}</style>`)
    .replace('<script type="module"></script>', () => `<script type="module">${script}</script>`);
  const policy = [
    "default-src 'none'",
    `style-src '${digest(style)}'`,
    `script-src '${digest(script)}'`,
    "connect-src 'self'",
    "img-src 'self' data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return {
    status: 200,
    body,
    type: "text/html; charset=utf-8",
    headers: [
      ["content-security-policy", policy],
      ["permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"],
    ],
  };
}

/** A module's text for one script that holds them all, in the order of their imports. */
function plain(module: string): string {
  return module.replace(/^import [^;]*;\n/gm, "").replace(/^export /gm, "");
}

function digest(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

/** They are the Python service's own, copied beside this one when it is compiled. */
function read(name: string): string {
  return readFileSync(new URL(`../web/${name}`, import.meta.url), "utf8");
}
