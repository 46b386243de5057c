/** Routes: which handler answers, who may ask, and in whose words errors are told. */
import type { Family } from "../errors.js";
import type { Scope } from "../guard/keys.js";
import type { Service } from "../service.js";
import type { Answer, StreamAnswer } from "./answer.js";
import type { Request } from "./request.js";

export type Handler = (
  service: Service,
  request: Request,
) => Answer | StreamAnswer | Promise<Answer | StreamAnswer>;

/** `template` is the path, `{name}` for a part of it. */
export interface Route {
  method: string;
  template: string;
  handler: Handler;
  /** `open`: a probe, which everyone may ask. */
  scope: Scope | "open";
  family: Family;
  /** Shown, with status 401, to whoever has no key: a page that asks for one, and says nothing of the model. */
  locked?: Answer;
}

export type Methods = ReadonlyMap<string, Route>;

export interface Found {
  methods: Methods | undefined;
  params: Readonly<Record<string, string>>;
}

export class Router {
  readonly #exact = new Map<string, Map<string, Route>>();
  readonly #patterns: { pattern: RegExp; methods: Methods }[] = [];

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const methods = this.#exact.get(route.template) ?? new Map<string, Route>();
      this.#exact.set(route.template, methods.set(route.method, route));
    }
    for (const [template, methods] of [...this.#exact]) {
      if (!template.includes("{")) continue;
      this.#exact.delete(template);
      const parts = template.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, "(?<$1>[^/]+)");
      this.#patterns.push({ pattern: new RegExp(`^${parts}$`), methods });
    }
  }

  /** What is at a path, by method. A parameter may hold an escaped slash, so patterns see the path as it was sent. */
  find(path: string, rawPath: string): Found {
    const methods = this.#exact.get(path);
    if (methods) return { methods, params: {} };
    for (const { pattern, methods } of this.#patterns) {
      const groups = pattern.exec(rawPath)?.groups;
      if (!groups) continue;
      const params = Object.entries(groups).map(([name, value]) => [name, unescaped(value)]);
      return { methods, params: Object.fromEntries(params) };
    }
    return { methods: undefined, params: {} };
  }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** In whose words an error is told where there is no route. */
export function familyOf(path: string): Family {
  if (path === "/v2" || path.startsWith("/v2/")) return "oip";
  if (/^\/v1\/(?:chat|completions|embeddings|models)/.test(path)) return "openai";
  return "own";
}
