/** Server-sent events: frames, heartbeats, and errors that come when the answer has begun. */

const heartbeat = ": still here\n\n";

/** One frame. `data` is JSON, which has no line breaks of its own. */
export function event(data: string, name?: string): string {
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${data}\n\n`;
}

type Step = IteratorResult<string>;

/**
 * Waits for the first frame, so that what fails at once is answered with a status of its own.
 * Afterwards an error becomes a frame, made by `failed`, and silence is broken every `heartbeatS`.
 */
export async function begin(
  frames: AsyncGenerator<string>,
  heartbeatS: number,
  failed: (error: unknown) => string,
): Promise<AsyncGenerator<string>> {
  const first = frames.next();
  await within(first, heartbeatS);
  return goOn(first, frames, heartbeatS, failed);
}

async function* goOn(
  first: Promise<Step>,
  frames: AsyncGenerator<string>,
  heartbeatS: number,
  failed: (error: unknown) => string,
): AsyncGenerator<string> {
  let step = first;
  try {
    for (;;) {
      let found: Step | undefined;
      try {
        found = await within(step, heartbeatS);
      } catch (error) {
        yield failed(error);
        return;
      }
      if (found === undefined) {
        yield heartbeat;
      } else if (found.done) {
        return;
      } else {
        yield found.value;
        step = frames.next();
      }
    }
  } finally {
    step.catch(() => {}); // Nobody waits for it any more.
    await frames.return(undefined).catch(() => {});
  }
}

/** undefined when it takes longer. */
async function within(step: Promise<Step>, seconds: number): Promise<Step | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000, undefined);
  });
  try {
    return await Promise.race([step, late]);
  } finally {
    clearTimeout(timer);
  }
}
