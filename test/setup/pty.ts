import { spawn, spawnSync } from "node:child_process";

/** A step of a dialogue: when this text has appeared, these keys are pressed. */
export interface Step {
  wait: string;
  send: string;
}

/** Python's own module for pseudo-terminals saves us a native package. */
export const hasPty = spawnSync("python3", ["-c", "import pty"]).status === 0;

const player = `
import fcntl, json, os, pty, select, signal, struct, sys, termios, time
job = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    os.execvp(job["command"][0], job["command"])
steps, seen, out, end = job["steps"], b"", b"", time.time() + job["seconds"]
while time.time() < end:
    while steps and steps[0]["wait"].encode() in seen:
        seen = seen.split(steps[0]["wait"].encode(), 1)[1]
        time.sleep(0.1)
        os.write(fd, steps.pop(0)["send"].encode())
    if not select.select([fd], [], [], 0.2)[0]:
        continue
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    out += data
    seen += data
else:
    os.kill(pid, signal.SIGKILL)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({"code": code, "screen": out.decode("utf8", "replace"), "left": len(steps)}))
`;

export interface Played {
  /** Negative: the signal that ended it; -9 is also the time-out. */
  code: number;
  /** Everything that was written to the terminal, escape sequences included. */
  screen: string;
  /** Steps that never had their turn. */
  left: number;
}

/** Runs a command on a terminal of its own and plays a dialogue with it. */
export function play(
  command: readonly string[],
  steps: readonly Step[],
  options: { cwd: string; env?: NodeJS.ProcessEnv; seconds?: number },
): Promise<Played> {
  const job = JSON.stringify({ command, steps, seconds: options.seconds ?? 20 });
  const { CI: _ci, NO_COLOR: _noColor, ...inherited } = process.env;
  const child = spawn("python3", ["-c", player, job], {
    cwd: options.cwd,
    env: { ...inherited, TERM: "xterm-256color", ...options.env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(JSON.parse(text) as Played));
  });
}
