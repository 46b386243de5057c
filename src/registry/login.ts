import { eraseCredential, storeCredential } from "../docker/auth/store.js";
import { UserError } from "../errors.js";
import { RegistryClient, type RegistryClientOptions } from "./client.js";
import { parseRegistry } from "./reference.js";

export interface LoginOptions extends Omit<RegistryClientOptions, "credentials"> {
  /** As the user wrote it: a host, with or without port or scheme. */
  registry: string;
  username: string;
  /** Or an access token. */
  password: string;
  home?: string | undefined;
  platform?: NodeJS.Platform | undefined;
}

export interface LoginResult {
  registry: string;
  /** `helper NAME`, or the path of the file. */
  stored: string;
  /** Whether the registry asked for the login at all; only then is it proven. */
  verified: boolean;
}

/** Proves a login to the registry, then keeps it where Docker would. */
export async function login(options: LoginOptions): Promise<LoginResult> {
  const { username, password } = options;
  const registry = parseRegistry(options.registry);
  if (username === "" || password === "") {
    throw new UserError("usage", `The ${username === "" ? "user name" : "password"} is empty.`, {
      hint: "Give the user name with --username, and the password on standard input with --password-stdin.",
    });
  }
  if (username.includes(":")) {
    throw new UserError("usage", "The user name holds a colon.", {
      why: "Logins are sent as user:password, so that the rest of it would count as the password.",
    });
  }
  const client = new RegistryClient(registry, options);
  try {
    const { asked } = await client.verifyLogin({ kind: "basic", username, password });
    const stored = await storeCredential(registry, { username, password }, options);
    return { registry, stored, verified: asked };
  } finally {
    client.close();
  }
}

export interface LogoutOptions {
  registry: string;
  env?: NodeJS.ProcessEnv | undefined;
  home?: string | undefined;
}

/** Forgets a login. `removed` says where it was; empty when there was none. */
export async function logout(options: LogoutOptions): Promise<{ registry: string; removed: string[] }> {
  const registry = parseRegistry(options.registry);
  return { registry, removed: await eraseCredential(registry, options) };
}
