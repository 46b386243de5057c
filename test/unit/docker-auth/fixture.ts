import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface Home {
  path: string;
  env: NodeJS.ProcessEnv;
  write(path: string, content: unknown): Promise<string>;
  read(path: string): Promise<string>;
  /** A credential helper on the PATH: a shell script that keeps each secret in a file, and notes what it was asked. */
  helper(name: string, script?: string): Promise<void>;
  /** What the helpers were asked, as `NAME ACTION`. */
  asked(): Promise<string[]>;
  remove(): Promise<void>;
}

export async function makeHome(): Promise<Home> {
  const path = await mkdtemp(join(tmpdir(), "modelship-auth-"));
  const bin = join(path, "bin");
  await mkdir(bin);
  const log = join(path, "asked");
  const write = async (name: string, content: unknown) => {
    const file = join(path, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  };
  return {
    path,
    // The machine's own helpers must not be found.
    env: { PATH: bin },
    write,
    read: (name) => readFile(join(path, name), "utf8"),
    async helper(name, script = keeper) {
      const file = await write(
        `bin/docker-credential-${name}`,
        `#!/bin/sh\nPATH=/usr/bin:/bin\necho "${name} $1" >> "${log}"\nkept="${path}/kept-${name}"\n${script}\n`,
      );
      await chmod(file, 0o755);
    },
    asked: async () =>
      (await readFile(log, "utf8").catch(() => "")).split("\n").filter((line) => line !== ""),
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** Keeps one entry, whatever the server. */
const keeper = `case "$1" in
  get) if [ -s "$kept" ]; then cat "$kept"; else echo "credentials not found in native keychain"; exit 1; fi ;;
  store) cat > "$kept" ;;
  erase) rm -f "$kept" ;;
esac`;

/** Answers \`get\` with one login. */
export function answering(username: string, secret: string): string {
  return `read -r server; printf '{"ServerURL":"%s","Username":"${username}","Secret":"${secret}"}' "$server"`;
}

export function auth(username: string, password: string): { auth: string } {
  return { auth: Buffer.from(`${username}:${password}`).toString("base64") };
}
