// A conversation with a model that has `chat`, over the OpenAI-compatible route.
import { announce, byId, el, show } from "./dom.js";
import { ask, errorBox, Refused } from "./session.js";
import { events, parsed } from "./stream.js";

class Chat {
  #messages = [];
  #running;
  #model;
  #refused;

  constructor(model, refused) {
    this.#model = model;
    this.#refused = refused;
    byId("chat-form").onsubmit = (event) => {
      event.preventDefault();
      this.send();
    };
    byId("chat-text").onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send();
    };
    byId("chat-stop").onclick = () => this.#running?.abort();
    byId("chat-new").onclick = () => {
      this.#running?.abort();
      this.#messages = [];
      byId("chat-log").replaceChildren();
      byId("chat-text").focus();
    };
  }

  get body() {
    const messages = this.#messages.length > 0 ? this.#messages : [{ role: "user", content: "Hello" }];
    return { model: this.#model(), messages, stream: true };
  }

  #bubble(role, text) {
    const content = el("p", { className: "text" }, text);
    byId("chat-log").append(
      el(
        "li",
        { className: `said ${role}` },
        el("span", { className: "who" }, role === "user" ? "You" : "Model"),
        content,
      ),
    );
    return content;
  }

  async send() {
    const text = byId("chat-text").value.trim();
    if (!text || this.#running) return;
    byId("chat-text").value = "";
    this.#messages.push({ role: "user", content: text });
    this.#bubble("user", text);
    const bubble = this.#bubble("assistant", "");
    this.#running = new AbortController();
    show(byId("chat-stop"), true);
    let said = "";
    try {
      for await (const piece of this.#pieces(this.#running.signal)) {
        said += piece;
        bubble.append(piece);
        bubble.scrollIntoView({ block: "nearest" });
      }
      announce(`Model: ${said}`);
    } catch (error) {
      if (error.name === "AbortError") bubble.append(el("span", { className: "soft" }, " (stopped)"));
      else bubble.append(errorBox(error));
      if (error.status === 401) this.#refused();
    } finally {
      if (said) this.#messages.push({ role: "assistant", content: said });
      else this.#messages.pop();
      this.#running = undefined;
      show(byId("chat-stop"), false);
    }
  }

  async *#pieces(signal) {
    const headers = { "content-type": "application/json" };
    const response = await ask("v1/chat/completions", {
      method: "POST",
      headers,
      body: JSON.stringify(this.body),
      signal,
    });
    if (!response.ok)
      throw new Refused(
        response.status,
        await response.json().catch(() => undefined),
        response.headers.get("x-request-id"),
      );
    for await (const { data } of events(response)) {
      if (data === "[DONE]") return;
      const chunk = parsed(data);
      if (chunk?.error) throw new Refused(500, chunk);
      const piece = chunk?.choices?.[0]?.delta?.content;
      if (typeof piece === "string") yield piece;
    }
  }
}

/** `model` gives the name to ask for; `refused` is told of a 401. */
export const startChat = (model, refused) => new Chat(model, refused);
