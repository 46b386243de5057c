// The API reference, from openapi.json.
import { callIn } from "./calls.js";
import { byId, copyButton, el, pretty, show } from "./dom.js";
import { inWords, isObject, own, resolve, sample } from "./schema.js";
import { askJson, baseUrl, keyPanel, Refused, themeButton } from "./session.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 5;
const RETRY_MS = 2_000;

themeButton();
const key = keyPanel(() => load());

async function load() {
  try {
    draw(await askJson("openapi.json"));
    show(byId("banner"), false);
    show(byId("main"), true);
  } catch (error) {
    if (error.status === 401) return key.ask();
    byId("banner").textContent = error instanceof Refused ? error.message : "The service does not answer.";
    show(byId("banner"), true);
    if (error.status === 503) setTimeout(load, RETRY_MS);
  }
}

/** Tags where the document has them; else what a path begins with. */
function groupOf(path, operation) {
  if (typeof operation.tags?.[0] === "string") return operation.tags[0];
  if (/^\/v1\/(chat|completions|embeddings|models)/.test(path)) return "OpenAI-compatible";
  if (/^\/v2(\/|$)/.test(path)) return "Open Inference Protocol";
  return /^\/v\d+\//.test(path) ? `API ${path.split("/")[1]}` : "Service";
}

function draw(document) {
  byId("name").textContent = document.info?.title ?? "API reference";
  window.document.title = `${document.info?.title ?? ""} · API reference`;
  byId("version").textContent = document.info?.version ?? "";
  show(byId("version"), Boolean(document.info?.version));
  const groups = new Map();
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS.filter((name) => isObject(own(item, name)))) {
      const operation = {
        ...item[method],
        parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])],
      };
      const group = groupOf(path, operation);
      if (!groups.has(group)) groups.set(group, []);
      groups
        .get(group)
        .push({ path, method, operation, id: `operation-${method}-${encodeURIComponent(path)}` });
    }
  }
  byId("contents").replaceChildren(
    ...[...groups].flatMap(([name, entries]) => [
      el("h2", null, name),
      el(
        "ul",
        null,
        entries.map((entry) =>
          el(
            "li",
            null,
            el(
              "a",
              { href: `#${encodeURIComponent(entry.id)}` },
              badge(entry.method),
              el("span", null, entry.path),
            ),
          ),
        ),
      ),
    ]),
  );
  byId("operations").replaceChildren(
    ...[...groups].map(([name, entries]) =>
      el(
        "section",
        { className: "group" },
        el("h2", null, name),
        entries.map((entry) => card(entry, document)),
      ),
    ),
  );
}

const badge = (method) => el("span", { className: `method ${method}` }, method.toUpperCase());

function card({ path, method, operation, id }, document) {
  const media = Object.entries(operation.requestBody?.content ?? {});
  const security = operation.security ?? document.security;
  return el(
    "article",
    { className: "card", id },
    el("h3", { className: "operation" }, badge(method), el("code", null, path)),
    el("p", null, operation.summary ?? ""),
    operation.description ? el("p", { className: "soft text" }, operation.description) : undefined,
    security?.length > 0
      ? el("p", { className: "hint" }, "Needs an API key: Authorization: Bearer, or X-API-Key.")
      : undefined,
    part("Parameters", operation.parameters.length > 0 && parameters(operation.parameters, document)),
    ...media.map(([type, content]) => part(`Body · ${type}`, tree(content.schema ?? {}, document))),
    part("Call", call(path, method, operation, security?.length > 0, document)),
    part("Responses", responses(operation.responses ?? {}, document)),
  );
}

const part = (title, node) =>
  node ? el("section", { className: "part" }, el("h4", null, title), node) : undefined;

function parameters(list, document) {
  return el(
    "dl",
    { className: "tree" },
    list.map((given) => {
      const parameter = resolve(given, document);
      const schema = resolve(parameter.schema ?? {}, document);
      const facts = `${parameter.in ?? ""}, ${parameter.required ? "required, " : ""}${inWords(schema, document)}`;
      return entry(parameter.name ?? "", facts, parameter.description ?? schema.description);
    }),
  );
}

function entry(name, facts, description, inner) {
  return el(
    "div",
    null,
    el("dt", null, el("code", null, name), " ", el("span", { className: "soft" }, facts)),
    el("dd", null, description ? el("p", { className: "hint" }, description) : undefined, inner),
  );
}

/** A schema with what is inside it: objects by their fields, lists by their items, choices one below the other. */
function tree(given, document, depth = 0) {
  const schema = resolve(given, document);
  if (depth > DEEPEST) return el("p", { className: "hint" }, "and so on");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices)
    return el(
      "div",
      { className: "choices" },
      choices.map((choice, at) =>
        el(
          "div",
          null,
          el("p", { className: "hint" }, at === 0 ? "either" : "or"),
          tree(choice, document, depth + 1),
        ),
      ),
    );
  if (isObject(schema.properties)) {
    const required = new Set(schema.required ?? []);
    return el(
      "dl",
      { className: "tree" },
      Object.entries(schema.properties).map(([name, value]) => {
        const field = resolve(value, document);
        const fallback = field.default === undefined ? "" : `, ${JSON.stringify(field.default)} if left out`;
        const facts = `${required.has(name) ? "required, " : ""}${inWords(field, document)}${fallback}`;
        return entry(name, facts, field.description, inside(field, document, depth));
      }),
    );
  }
  return el(
    "div",
    null,
    el(
      "p",
      { className: "hint" },
      [inWords(schema, document), schema.description].filter(Boolean).join(" · "),
    ),
    inside(schema, document, depth),
  );
}

function inside(schema, document, depth) {
  if (isObject(schema.properties) || schema.anyOf || schema.oneOf) return tree(schema, document, depth + 1);
  const items = schema.type === "array" ? resolve(schema.items ?? {}, document) : {};
  return isObject(items.properties) || items.anyOf || items.type === "array"
    ? tree(items, document, depth + 1)
    : undefined;
}

function call(path, method, operation, keyed, document) {
  const [[type, content] = []] = Object.entries(operation.requestBody?.content ?? {});
  const json = /json/.test(type ?? "");
  const example = content?.example ?? Object.values(content?.examples ?? {})[0]?.value;
  const body = json ? JSON.stringify(example ?? sample(content.schema ?? {}, document)) : undefined;
  const text = callIn("curl", { url: baseUrl() + path.slice(1), method: method.toUpperCase(), body, keyed });
  const copy = copyButton(() => text, `curl for ${method.toUpperCase()} ${path}`);
  const long = body !== undefined && body.length > 160;
  const shown = long
    ? el(
        "details",
        null,
        el("summary", null, "Example body"),
        el("pre", { tabindex: "0" }, pretty(JSON.parse(body))),
      )
    : undefined;
  return el("div", { className: "call" }, el("pre", { tabindex: "0" }, text), copy, shown);
}

function responses(all, document) {
  return el(
    "div",
    null,
    Object.entries(all).map(([status, given]) => {
      const response = resolve(given, document);
      const kind = status.startsWith("2") ? "good" : "bad";
      const head = [el("span", { className: `chip ${kind}` }, status), ` ${response.description ?? ""}`];
      const media = Object.entries(response.content ?? {}).filter(([, content]) => content?.schema);
      if (media.length === 0) return el("p", { className: "response" }, head);
      return el(
        "details",
        { className: "response" },
        el("summary", null, head),
        media.map(([type, content]) =>
          el("div", null, el("p", { className: "hint" }, type), tree(content.schema, document)),
        ),
      );
    }),
  );
}

load();
