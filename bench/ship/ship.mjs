// One subject through its states: the first ship, nothing changed, a line of code changed, the weights' time changed.
import { execFileSync } from "node:child_process";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { measure } from "./measure.mjs";

const changes = {
  first: (project) => project.renew(),
  nothing: () => {},
  edit: (project) => project.editCode(),
  touch: (project) => project.touchWeights(),
};

/**
 * Returns a result for every state: what was measured, or why it was not. After a failure the later states are not
 * tried: they would start from something else.
 */
export async function ship(subject, bench) {
  const { project, registry, repository, size, round } = bench;
  const reference = `${registry.address}/${repository}:${subject.tag ?? "floor"}`;
  const context = { ...bench, reference, base: `${registry.address}/${repository}:seed` };
  const results = [];
  let failure;
  for (const state of subject.states.filter((name) => bench.states.includes(name))) {
    const result = { ...labels(subject, bench), state, size, round };
    results.push(result);
    if (failure) {
      result.failed = "not tried: an earlier step failed";
      continue;
    }
    try {
      if (state === "first") subject.fresh?.();
      changes[state](project);
      await subject.input?.(state, context);
      Object.assign(result, await one(subject, state, context));
    } catch (error) {
      failure = error;
      result.failed = error.message;
    }
    console.error(`  ${line(result)}`);
  }
  return results;
}

const labels = (subject, { registry }) => ({
  tool: subject.tool,
  name: subject.name,
  engine: subject.engine?.id,
  registry: registry.kind,
});

async function one(subject, state, context) {
  const { project, registry, undo, folder } = context;
  if (state === "first") await Promise.all(project.weights.map(warm));
  execFileSync("sync"); // what others wrote is not written while this one is timed
  const before = await registry.bytes();
  const parts = [];
  for (const { said, env, ...command } of subject.commands(context)) {
    const { stdout, ...figures } = await measure({
      ...command,
      env: { ...process.env, ...env },
      undo,
      times: join(folder, "times"),
      engine: subject.engine?.pid,
    });
    parts.push({ ...figures, part: command.part, ...(said && { said: said(stdout) }) });
    if (command.part === "push") await check(subject, state, { ...context, stdout });
  }
  const after = await registry.bytes();
  return { parts, ...(after !== undefined && { bytes: after - before }) };
}

/** A number for something that did not arrive would be worse than none. */
async function check(subject, state, context) {
  if (subject.check) return await subject.check(context);
  const { project, registry, repository } = context;
  const stored = await registry.layersOf(repository, subject.tag);
  if (stored < project.bytes)
    throw new Error(
      `After "${state}", ${subject.tag} has ${stored} bytes of layers, fewer than the weights.`,
    );
}

/** Everybody finds the weights in the page cache. */
async function warm(path) {
  for await (const _ of createReadStream(path, { highWaterMark: 4 * 1024 * 1024 }));
}

export const seconds = ({ parts }) => parts.reduce((sum, part) => sum + part.seconds, 0);

function line(result) {
  const what = `${result.name}${result.engine ? ` on ${result.engine}` : ""}, ${result.size} GB, ${result.state}`;
  if (result.failed) return `! ${what}: ${result.failed}`;
  return `+ ${what}: ${seconds(result).toFixed(2)} s`;
}
