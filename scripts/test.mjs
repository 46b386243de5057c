#!/usr/bin/env node
import { ensureCompiled, ensurePackages } from "./setup/dependencies.mjs";
import { SetupError, say, seconds } from "./setup/say.mjs";
// Every test there is, after all the set-up that it needs:
//   npm test              all suites; the last line says how many passed, failed and were skipped
//   npm test -- unit      one suite or some, by name
import { ensure, fail } from "./setup.mjs";
import { suites } from "./test/suites.mjs";

const asked = process.argv.slice(2);
const all = suites();

async function main() {
  const unknown = asked.find((name) => !all.some((suite) => suite.name === name));
  if (unknown)
    throw new SetupError(`No suite "${unknown}": one of ${all.map(({ name }) => name).join(", ")}.`, 2);

  const start = performance.now();
  await ensurePackages();
  await ensureCompiled();
  const total = { passed: 0, failed: 0, skipped: 0 };
  const table = [];
  for (const suite of all.filter(({ name, notHere }) =>
    asked.length > 0 ? asked.includes(name) : !notHere,
  )) {
    const began = performance.now();
    const result = await runSuite(suite);
    for (const key of Object.keys(total)) total[key] += result[key];
    table.push(`${suite.name.padEnd(22)} ${line(result)}  (${seconds(began)})`);
    say(table.at(-1));
  }
  const left = asked.length === 0 ? all.filter(({ notHere }) => notHere) : [];
  for (const { name, notHere } of left) say(`${name.padEnd(22)} not run here: ${notHere}`);
  say(`\n${table.join("\n")}\nAll of it: ${seconds(start)}`);
  process.stdout.write(`${line(total)}\n`);
  if (total.failed > 0) process.exitCode = 1;
}

const line = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

/** A suite that could not run at all, or found nothing to run, has failed: green must mean that something was proven. */
async function runSuite(suite) {
  say(`\n== ${suite.name}`);
  try {
    const env = suite.engine ? { ...process.env, ...(await ensure({ engine: suite.engine })) } : process.env;
    const result = await suite.run(env);
    if (result.passed + result.failed > 0) return result;
    say(`${suite.name}: no test ran`);
    return { ...result, failed: 1 };
  } catch (error) {
    say(error instanceof SetupError ? error.message : error.stack);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

main().catch(fail);
