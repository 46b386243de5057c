/** Under `modelship dev` the service ends with the command that started it, however that came to its end. */

/** Then whatever still runs is beyond asking. */
const patienceMs = 10_000;

export function endWithStdin(): void {
  const asked = process.env.MODELSHIP_END_WITH_STDIN === "1";
  delete process.env.MODELSHIP_END_WITH_STDIN;
  if (!asked) return;
  process.stdin.on("end", () => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.exit(1), patienceMs).unref();
  });
  process.stdin.on("error", () => {});
  process.stdin.resume();
}
