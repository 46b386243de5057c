import type { Credential, CredentialSource } from "./auth/credential.js";
import { authKey } from "./auth/registry-key.js";

/** The engine's own form of a credential (`AuthConfig`). */
function authConfig(credential: Credential | undefined, registry: string): object {
  if (credential === undefined) return {};
  const serveraddress = authKey(registry);
  switch (credential.kind) {
    case "basic":
      return { username: credential.username, password: credential.password, serveraddress };
    case "identity":
      return { identitytoken: credential.token, serveraddress };
    case "registry":
      return { registrytoken: credential.token, serveraddress };
  }
}

/** `X-Registry-Auth`, for a push or a pull. Always sent: old engines refuse a push without it. */
export function registryAuthHeader(
  credential: Credential | undefined,
  registry: string,
): Record<string, string> {
  return { "X-Registry-Auth": encoded(authConfig(credential, registry)) };
}

/** `X-Registry-Config`, for a classic build: what each of these registries may be shown. */
export async function registryConfigHeader(
  registries: Iterable<string>,
  source: CredentialSource,
): Promise<Record<string, string>> {
  const configs: Record<string, object> = {};
  for (const registry of new Set(registries)) {
    const credential = await source(registry);
    if (credential !== undefined) configs[authKey(registry)] = authConfig(credential, registry);
  }
  return Object.keys(configs).length === 0 ? {} : { "X-Registry-Config": encoded(configs) };
}

/** URL-safe base64 with padding: what the engine decodes. Anything else it takes as "anonymous" without a word. */
function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** Registries on loopback, which Docker by itself takes as plain HTTP. */
export function isLoopback(registry: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(registry);
}
