import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readlink, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, resolve } from "node:path";
import { messageOf, systemCode, UserError } from "../../errors.js";
import { type ConfigData, type ConfigFile, dockerConfigPath, readConfigFile } from "./config-file.js";
import { helperErase, helperStore, platformHelper } from "./helper.js";
import { helperFor } from "./lookup.js";
import { authKey, keysOf } from "./registry-key.js";

export interface StoreOptions {
  env?: NodeJS.ProcessEnv | undefined;
  home?: string | undefined;
  platform?: NodeJS.Platform | undefined;
}

/** Keeps a credential where Docker would. The answer says where: `helper NAME`, or the path of the file. */
export async function storeCredential(
  registry: string,
  credential: { username: string; password: string },
  options: StoreOptions = {},
): Promise<string> {
  const env = options.env ?? process.env;
  const path = dockerConfigPath(env, options.home ?? homedir());
  const file = (await readConfigFile(path)) ?? { name: path, data: {}, text: "" };
  const key = authKey(registry);
  const entry = { ServerURL: key, Username: credential.username, Secret: credential.password };

  const configured = helperFor(file, registry);
  if (configured) {
    await helperStore(configured, entry, env);
    await writeConfig(path, file, { ...file.data, auths: { ...file.data.auths, [key]: {} } });
    return `helper ${configured}`;
  }
  // Docker takes the system's helper for a configuration that knows no credentials yet. A server may have the helper
  // without the desktop that it needs: the file then still works.
  const offered = knowsCredentials(file.data) ? undefined : platformHelper(env, options.platform);
  if (
    offered &&
    (await helperStore(offered, entry, env).then(
      () => true,
      () => false,
    ))
  ) {
    await writeConfig(path, file, { ...file.data, auths: { [key]: {} }, credsStore: offered });
    return `helper ${offered}`;
  }
  const auth = Buffer.from(`${credential.username}:${credential.password}`).toString("base64");
  await writeConfig(path, file, { ...file.data, auths: { ...file.data.auths, [key]: { auth } } });
  return path;
}

/** Forgets a credential. The answer says where it was found; nothing there is an empty list. */
export async function eraseCredential(registry: string, options: StoreOptions = {}): Promise<string[]> {
  const env = options.env ?? process.env;
  const path = dockerConfigPath(env, options.home ?? homedir());
  const file = await readConfigFile(path);
  if (!file) return [];
  const erased: string[] = [];
  const helper = helperFor(file, registry);
  if (helper && (await helperErase(helper, authKey(registry), env))) erased.push(`helper ${helper}`);
  const auths = { ...file.data.auths };
  const keys = keysOf(auths, registry);
  if (keys.length > 0) {
    const held = keys.some((key) => Object.keys(auths[key] ?? {}).length > 0);
    for (const key of keys) delete auths[key];
    await writeConfig(path, file, { ...file.data, auths });
    if (held) erased.push(path);
  }
  return erased;
}

function knowsCredentials(data: ConfigData): boolean {
  return Boolean(
    data.credsStore ||
      Object.keys(data.credHelpers ?? {}).length > 0 ||
      Object.keys(data.auths ?? {}).length > 0,
  );
}

/** Beside the file, then renamed over it: a reader sees the old one or the new one. */
async function writeConfig(path: string, old: ConfigFile, data: ConfigData): Promise<void> {
  const target = await followLinks(path);
  const beside = `${target}.${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await writeFile(beside, render(data, old.text), { mode: 0o600, flag: "wx" });
    await chmod(beside, 0o600);
    // Under sudo the file stays the user's.
    const owner = await stat(target).catch(() => undefined);
    if (owner && process.getuid?.() === 0) await chown(beside, owner.uid, owner.gid);
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    const code = systemCode(error);
    throw new UserError(code === "ENOSPC" ? "disk_full" : "file_failed", `${target} cannot be written.`, {
      why: code === "EACCES" || code === "EROFS" ? "This user may not write there." : messageOf(error),
      hint: "Correct its permissions, or point DOCKER_CONFIG at another folder.",
      cause: error,
    });
  }
}

/** With the indentation and the last line as they were; Docker itself indents with tabs. */
function render(data: ConfigData, old: string): string {
  const indent = /\n([ \t]+)"/.exec(old)?.[1] ?? "\t";
  return JSON.stringify(data, undefined, indent) + (old.endsWith("\n") ? "\n" : "");
}

/** Dotfiles are often links, and may point at a file that is not there yet. */
async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const link = await readlink(path).catch(() => undefined);
    return link === undefined ? path : resolve(dirname(path), link);
  }
}
