/** Headers that every answer carries, as security reviews ask for them. */
import type { Header } from "../errors.js";

export const securityHeaders: readonly Header[] = [
  ["cache-control", "no-store"],
  ["referrer-policy", "no-referrer"],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
];

/** Of what is no page: should a browser ever show it as one, it does nothing. A page has a policy of its own. */
const noPage: Header = ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"];

export function fixedHeaders(type: string): Header[] {
  const fixed: Header[] = [["content-type", type], ...securityHeaders];
  return type.startsWith("text/html") ? fixed : [...fixed, noPage];
}

/** How to identify oneself. */
export function challenge(realm: string): Header {
  return ["www-authenticate", `Bearer realm="${realm.replace(/[^ -~]|["\\]/g, "")}"`];
}
