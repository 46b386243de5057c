// The playground: what is served, a request, its answer.
import { AnswerPanel } from "./answer.js";
import { callIn, LANGUAGES } from "./calls.js";
import { startChat } from "./chat.js";
import { byId, copyButton, el, show, tabs } from "./dom.js";
import { RequestPanel } from "./request.js";
import { own } from "./schema.js";
import { apiKey, ask, askJson, baseUrl, keyPanel, Refused, themeButton } from "./session.js";
import { events, parsed } from "./stream.js";

const SOON_MS = 1_000;
const LATER_MS = 15_000;

let card;
let api = "v1";
let keyed = false;
let language = "curl";
let mode = "predict";
let running;
let timer;

themeButton();
const key = keyPanel(() => load());
const answers = new AnswerPanel();
const request = new RequestPanel(() => drawCall());
startChat(
  () => card.name,
  () => key.ask(),
);

// What is served

async function load() {
  try {
    const openapi = await askJson("openapi.json").catch((error) => {
      if (error.status === 401) throw error;
    });
    keyed = Boolean(apiKey()) || openapi?.security !== undefined;
    offerVersions(openapi);
    card = await askJson(`${api}/model`);
    const content = own(own(openapi?.paths, `/${api}/predict`), "post")?.requestBody?.content;
    const example = card.example ?? content?.["application/json"]?.example;
    if (methods().includes("predict")) request.use(card, example ?? undefined);
    drawCard();
    show(byId("banner"), false);
    show(byId("main"), true);
  } catch (error) {
    if (error.status === 401) {
      keyed = true;
      return key.ask();
    }
    // Asked again with the probe.
    byId("status").dataset.ready = "false";
    if (error.status !== 503) problem(error);
  }
}

function problem(error) {
  byId("banner").textContent = error instanceof Refused ? error.message : "The service does not answer.";
  show(byId("banner"), true);
}

function offerVersions(openapi) {
  const versions = Object.keys(openapi?.paths ?? {})
    .map((path) => /^\/(v\d+)\/predict$/.exec(path)?.[1])
    .filter(Boolean);
  if (versions.length > 0 && !versions.includes(api)) api = versions[0];
  const select = byId("api");
  select.replaceChildren(...versions.map((version) => el("option", { value: version }, version)));
  select.value = api;
  show(byId("api-choice"), versions.length > 1);
  select.onchange = () => {
    api = select.value;
    load();
  };
}

function drawCard() {
  byId("name").textContent = card.name;
  document.title = `${card.name} · Playground`;
  const chip = (id, text, title) => {
    byId(id).textContent = text ?? "";
    if (title) byId(id).title = title;
    show(byId(id), Boolean(text));
  };
  chip("version", card.version);
  const digest = card.image_digest;
  chip("digest", typeof digest === "string" ? digest.slice(0, 19) : undefined, digest);
  drawModes();
}

const methods = () => card.methods ?? ["predict"];

function drawModes() {
  const options = [
    ["predict", "Predict"],
    ["chat", "Chat"],
  ].filter(([method]) => methods().includes(method));
  const choose = (chosen) => {
    mode = chosen;
    drawCall();
    show(byId("predict-panel"), mode === "predict");
    show(byId("chat-panel"), mode === "chat");
  };
  show(byId("modes"), options.length > 1);
  if (options.length > 1)
    byId("modes").replaceChildren(tabs("What to do", options, byId("mode-body"), choose).node);
  choose(options[0]?.[0] ?? "predict");
}

/** Asks the open probe: often while it is not ready, seldom afterwards, never in a hidden tab. */
async function watch() {
  const status = byId("status");
  let [ready, text] = [false, "not reachable"];
  if (!document.hidden) {
    try {
      const response = await fetch("readyz", { cache: "no-store" });
      ready = response.ok;
      text = ready ? "ready" : ((await response.json()).error?.message ?? "not ready");
    } catch {
      // Restarting, or gone: the text says so.
    }
    const came = ready && status.dataset.ready !== "true";
    if (status.textContent !== text) status.textContent = text;
    status.dataset.ready = String(ready);
    if (came) await load();
  }
  clearTimeout(timer);
  timer = setTimeout(watch, ready || document.hidden ? LATER_MS : SOON_MS);
}

// A request and its answer

async function send() {
  const body = request.text;
  if (body === undefined || running || !card) return;
  running = new AbortController();
  show(byId("stop"), true);
  answers.waiting();
  const started = performance.now();
  const facts = { ms: 0 };
  const stopped = () => {
    facts.ms = performance.now() - started;
    return facts;
  };
  try {
    const headers = { "content-type": "application/json" };
    if (card.streams) headers.accept = "text/event-stream, application/json";
    const response = await ask(`${api}/predict`, { method: "POST", headers, body, signal: running.signal });
    facts.status = response.status;
    facts.id = response.headers.get("x-request-id");
    if (/^text\/event-stream/.test(response.headers.get("content-type") ?? ""))
      return await receive(response, stopped);
    const text = await response.text();
    facts.bytes = new TextEncoder().encode(text).length;
    if (!response.ok) throw new Refused(response.status, parsed(text), facts.id);
    answers.answer(parsed(text), text, stopped());
    request.mark([]);
  } catch (error) {
    failed(error, stopped());
  } finally {
    running = undefined;
    show(byId("stop"), false);
  }
}

function failed(error, facts) {
  const told =
    error instanceof Refused ? error : { code: "no answer", message: "The service did not answer." };
  if (error.name === "AbortError") Object.assign(told, { code: "stopped", message: "You stopped it." });
  request.mark(error.details ?? []);
  answers.failed(told, facts, (path) => request.go(path));
  if (error.status === 401) {
    keyed = true;
    key.ask();
  }
}

async function receive(response, facts) {
  const shown = answers.stream();
  let [error, note] = [undefined, "ended without an end"];
  try {
    for await (const { event, data } of events(response)) {
      if (event === "done") note = undefined;
      else if (event === "error") [error, note] = [new Refused(500, parsed(data)), undefined];
      else shown.add(parsed(data) ?? data);
      shown.progress(facts());
    }
  } catch (broken) {
    note = broken.name === "AbortError" ? "stopped" : "broken off";
  }
  shown.end(facts(), error, note);
}

// The same call from code

function drawCall() {
  const needsKey = keyed || Boolean(apiKey());
  byId("call").textContent =
    mode === "chat"
      ? chatIn(language, { base: baseUrl(), model: card.name, keyed: needsKey })
      : callIn(language, {
          url: `${baseUrl()}${api}/predict`,
          body: JSON.stringify(request.value),
          keyed: needsKey,
          streams: card.streams,
        });
  byId("call-note").textContent = needsKey
    ? "The key is read from the environment variable MODELSHIP_API_KEY."
    : "";
}

const languages = tabs("Language", LANGUAGES, byId("call-body"), (chosen) => {
  language = chosen;
  drawCall();
});
byId("call-tools").append(
  languages.node,
  copyButton(() => byId("call").textContent, "call"),
);
byId("call-body").tabIndex = 0;
byId("send").onclick = send;
byId("stop").onclick = () => running?.abort();
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || byId("predict-panel").hidden) return;
  event.preventDefault();
  send();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) watch();
});
watch();
