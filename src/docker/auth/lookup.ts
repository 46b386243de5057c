import { homedir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../errors.js";
import {
  type AuthEntry,
  type ConfigFile,
  dockerConfigPath,
  parseConfig,
  readConfigFile,
} from "./config-file.js";
import type { Credential, CredentialSource } from "./credential.js";
import { helperGet } from "./helper.js";
import { authKey, entryOf, keysOf } from "./registry-key.js";

/**
 * Finds credentials where Docker keeps them, then where Podman does:
 * DOCKER_AUTH_CONFIG, Docker's config.json, REGISTRY_AUTH_FILE, Podman's auth.json.
 * Within a file: the helper of the registry, the helper for all, the entry itself.
 */
export function credentialSource(
  env: NodeJS.ProcessEnv = process.env,
  home: string = homedir(),
): CredentialSource {
  return async (registry) => {
    for (const read of credentialFiles(env, home)) {
      const file = await read();
      const found = file && (await fromConfig(file, registry, env));
      if (found) return found;
    }
    return undefined;
  };
}

function credentialFiles(env: NodeJS.ProcessEnv, home: string): (() => Promise<ConfigFile | undefined>)[] {
  const inline = env.DOCKER_AUTH_CONFIG;
  const paths = [
    dockerConfigPath(env, home),
    env.REGISTRY_AUTH_FILE,
    env.XDG_RUNTIME_DIR && join(env.XDG_RUNTIME_DIR, "containers", "auth.json"),
    join(home, ".config", "containers", "auth.json"),
  ].filter((path): path is string => Boolean(path));
  return [
    ...(inline ? [async () => parseConfig(inline, "DOCKER_AUTH_CONFIG")] : []),
    ...paths.map((path) => () => readConfigFile(path)),
  ];
}

async function fromConfig(
  file: ConfigFile,
  registry: string,
  env: NodeJS.ProcessEnv,
): Promise<Credential | undefined> {
  const helper = helperFor(file, registry);
  return (helper && (await helperGet(helper, authKey(registry), env))) || fromAuths(file, registry);
}

/** The helper that keeps this registry's credential. An empty name in credHelpers means: none, in spite of credsStore. */
export function helperFor({ data }: ConfigFile, registry: string): string | undefined {
  return (entryOf(data.credHelpers ?? {}, registry) ?? data.credsStore) || undefined;
}

function fromAuths(file: ConfigFile, registry: string): Credential | undefined {
  const auths = file.data.auths ?? {};
  for (const key of keysOf(auths, registry)) {
    const found = fromEntry(auths[key] ?? {}, key, file.name);
    if (found) return found;
  }
  return undefined;
}

function fromEntry(entry: AuthEntry, key: string, file: string): Credential | undefined {
  if (entry.identitytoken) return { kind: "identity", token: entry.identitytoken };
  if (entry.registrytoken) return { kind: "registry", token: entry.registrytoken };
  if (entry.auth) {
    const text = Buffer.from(entry.auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon <= 0) {
      throw new UserError("authentication", `The entry of ${key} in ${file} cannot be read.`, {
        why: `Its "auth" is not base64 of "user:password".`,
        hint: `Write it again with: modelship login ${key}`,
      });
    }
    return basic(text.slice(0, colon), text.slice(colon + 1));
  }
  return entry.username && entry.password !== undefined ? basic(entry.username, entry.password) : undefined;
}

function basic(username: string, password: string): Credential {
  return username === "<token>"
    ? { kind: "identity", token: password }
    : { kind: "basic", username, password };
}
