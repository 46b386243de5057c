// What both pages do with the service: the key, requests, the theme. Addresses are relative to the page, so that
// it works behind a path prefix.
import { announce, byId, el, show } from "./dom.js";

const STORED_KEY = "modelship.key";
const STORED_THEME = "modelship.theme";

/** Storage that a browser may refuse; then it lasts as long as the page. */
function kept(open) {
  const memory = new Map();
  const attempt = (work, otherwise) => {
    try {
      return work(open());
    } catch {
      return otherwise();
    }
  };
  return {
    get: (name) =>
      attempt(
        (store) => store.getItem(name),
        () => memory.get(name),
      ) ?? "",
    set: (name, value) =>
      attempt(
        (store) => store.setItem(name, value),
        () => memory.set(name, value),
      ),
  };
}
const forTab = kept(() => sessionStorage);
const forBrowser = kept(() => localStorage);

export const apiKey = () => forTab.get(STORED_KEY);
export const baseUrl = () => new URL(".", document.baseURI).href;

/** An answer that is no success, with what the service says about it. */
export class Refused extends Error {
  constructor(status, body, requestId) {
    const error = body?.error;
    super(typeof error === "string" ? error : (error?.message ?? `the service answered ${status}`));
    this.status = status;
    this.code = error?.code ?? error?.type;
    this.details = Array.isArray(error?.details) ? error.details : [];
    this.requestId = error?.request_id ?? requestId;
  }
}

export async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (apiKey()) headers.authorization = `Bearer ${apiKey()}`;
  return await fetch(path, { ...options, headers, cache: "no-store", credentials: "same-origin" });
}

export async function askJson(path) {
  const response = await ask(path);
  const body = await response.json().catch(() => undefined);
  if (!response.ok) throw new Refused(response.status, body, response.headers.get("x-request-id"));
  return body;
}

/** The key panel: opened by its button, or by a 401. `changed` is called with every new key. */
export function keyPanel(changed) {
  const [panel, field, button] = [byId("key-panel"), byId("key"), byId("key-button")];
  const open = (visible, why) => {
    show(panel, visible);
    button.setAttribute("aria-expanded", String(visible));
    byId("key-why").textContent = why ?? "It stays in this tab and goes with each request as a Bearer token.";
    if (visible) field.focus();
  };
  const label = () => {
    button.textContent = apiKey() ? "Key set" : "API key";
  };
  const put = (key) => {
    forTab.set(STORED_KEY, key);
    field.value = "";
    label();
    open(false);
    button.focus();
    announce(key ? "Key set" : "Key forgotten");
    changed();
  };
  byId("key-form").onsubmit = (event) => {
    event.preventDefault();
    const key = field.value.trim();
    // A header takes nothing else.
    if (/^[\x21-\x7e]+$/.test(key)) put(key);
    else open(true, "A key is made of letters, digits and signs, without spaces.");
  };
  byId("key-forget").onclick = () => put("");
  button.onclick = () => open(panel.hidden);
  panel.onkeydown = (event) => {
    if (event.key !== "Escape") return;
    open(false);
    button.focus();
  };
  label();
  return {
    ask: () =>
      open(
        true,
        apiKey()
          ? "The service does not accept this key."
          : "The service asks for a key: enter yours to go on.",
      ),
  };
}

/** Light or dark as the system says, until the button says otherwise. */
export function themeButton() {
  const button = byId("theme-button");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => forBrowser.get(STORED_THEME) || (dark.matches ? "dark" : "light");
  const apply = () => {
    if (forBrowser.get(STORED_THEME)) document.documentElement.dataset.theme = forBrowser.get(STORED_THEME);
    button.textContent = current() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Use ${current() === "dark" ? "light" : "dark"} colours`);
    document.dispatchEvent(new Event("themechange"));
  };
  button.onclick = () => {
    forBrowser.set(STORED_THEME, current() === "dark" ? "light" : "dark");
    apply();
  };
  dark.addEventListener("change", apply);
  apply();
}

/** The list of what was wrong; `go` leads to the field that a detail names. */
export function errorBox(error, go) {
  const details = (error.details ?? []).map((detail) => {
    const path = String(detail?.path ?? "");
    const name = go?.(path)
      ? el("button", { type: "button", className: "link", onclick: go(path) }, path)
      : path;
    return el("li", null, el("code", null, name), ` ${detail?.rule ?? ""}`);
  });
  return el(
    "div",
    { className: "error-box" },
    el(
      "p",
      null,
      el("strong", null, error.code ?? "failed"),
      details.length === 0 ? ` ${error.message}` : "",
    ),
    details.length > 0 ? el("ul", null, details) : undefined,
  );
}
