// What the scripts tell: one line a step, on stderr, so that stdout stays free for results such as --print-env.
const now = () => performance.now();

export const seconds = (from) => `${((now() - from) / 1000).toFixed(1)} s`;

export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Runs one step and prints one line for it. A step that returns false (or "already there") did nothing new. */
export async function step(name, work) {
  const start = now();
  try {
    const result = await work();
    say(result === ALREADY ? `  = ${name}: already there` : `  + ${name} (${seconds(start)})`);
    return result;
  } catch (error) {
    say(`  ! ${name}: failed after ${seconds(start)}`);
    throw error;
  }
}

export const ALREADY = Symbol("already there");

/** Something that the person at the machine has to do; no stack trace helps there. */
export class SetupError extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
