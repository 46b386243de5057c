import { type ChildProcess, spawn } from "node:child_process";
import { Agent } from "node:http";
import { Duplex } from "node:stream";

/**
 * Reaches an engine on another machine the way the docker CLI does: each connection is one
 * `ssh HOST docker system dial-stdio`, so the user's ssh configuration, known hosts and keys all count.
 *
 * Starts its own processes, because an open-ended two-way pipe is what src/exec.ts (run to the end, return the
 * text) is not made for.
 */
export class SshAgent extends Agent {
  private readonly command: readonly string[];
  private readonly env: NodeJS.ProcessEnv;

  constructor(host: string, env: NodeJS.ProcessEnv = process.env) {
    super({ keepAlive: false });
    this.command = sshCommand(host);
    this.env = env;
  }

  override createConnection(): Duplex {
    const [program = "ssh", ...args] = this.command;
    const child = spawn(program, args, {
      env: this.env,
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
      // Ctrl-C at the terminal goes to the whole process group; this connection is ours to end.
      detached: process.platform !== "win32",
    });
    return pipeDuplex(child);
  }
}

/** `ssh://user@host:22/path` as arguments. Throws a TypeError on what is no such address. */
export function sshCommand(host: string): string[] {
  const url = new URL(host);
  if (url.protocol !== "ssh:" || url.hostname === "") throw new TypeError(`Not an ssh:// address: ${host}`);
  if (url.password !== "") throw new TypeError("An ssh:// address must not hold a password.");
  const remote = ["docker"];
  const socket = decodeURIComponent(url.pathname);
  if (socket !== "" && socket !== "/") remote.push("--host", shellQuoted(`unix://${socket}`));
  return [
    "ssh",
    "-o",
    "ConnectTimeout=30",
    // Never ask in the middle of a progress display: keys and agents only.
    "-o",
    "BatchMode=yes",
    "-T",
    ...(url.username === "" ? [] : ["-l", decodeURIComponent(url.username)]),
    ...(url.port === "" ? [] : ["-p", url.port]),
    "--",
    url.hostname.replace(/^\[|\]$/g, ""),
    ...remote,
    "system",
    "dial-stdio",
  ];
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A child's stdin and stdout as one stream; its stderr becomes the error when it fails. */
function pipeDuplex(child: ChildProcess): Duplex {
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error("ssh was started without pipes");
  let said = "";
  const duplex = new Duplex({
    read: () => stdout.resume(),
    // A broken pipe is only the shadow of ssh's own end, which says why.
    write: (chunk, _encoding, done) => {
      stdin.write(chunk, () => done());
    },
    final: (done) => {
      stdin.end(() => done());
    },
    destroy: (error, done) => {
      child.kill();
      done(error);
    },
  });
  stdout.on("data", (chunk: Buffer) => {
    if (!duplex.push(chunk)) stdout.pause();
  });
  stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4096);
  });
  stdin.on("error", () => {});
  child.on("error", (error) => duplex.destroy(error));
  child.on("close", (code) => {
    if (code === 0 || duplex.destroyed) duplex.push(null);
    else duplex.destroy(new SshError(said.trim() || `ssh ended with exit code ${code}`));
  });
  return Object.assign(duplex, sockets);
}

/** What node:http asks of a socket beyond a Duplex. */
const sockets = {
  setTimeout: () => {},
  setNoDelay: () => {},
  setKeepAlive: () => {},
  ref: () => {},
  unref: () => {},
};

/** ssh itself failed: the text is what it wrote to stderr. */
export class SshError extends Error {
  override readonly name = "SshError";
}
