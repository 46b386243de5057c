// Runs in a process of its own: its memory is what detection needs, and what crashes it is seen. For each path on a
// line of standard input, one line of JSON comes out.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { detectModel } = await import(pathToFileURL(process.argv[2]).href);

for await (const line of createInterface({ input: process.stdin })) {
  const start = performance.now();
  let outcome;
  try {
    const { found } = await detectModel(JSON.parse(line));
    outcome = { found: found.map(({ kind, warnings }) => ({ kind, warnings })) };
  } catch (error) {
    outcome = {
      error: error.name,
      code: error.code,
      message: `${error.message} ${error.why ?? error.stack}`,
    };
  }
  const peak = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(`${JSON.stringify({ ...outcome, milliseconds: performance.now() - start, peak })}\n`);
}
