/** These suites talk to a real engine and real registries; without them a run would prove nothing, so it ends here. */
const needed = ["MODELSHIP_TEST_ENGINE", "MODELSHIP_TEST_REGISTRY", "MODELSHIP_TEST_AUTH_REGISTRY"];

export default function requireEngine(): void {
  const missing = needed.filter((name) => !process.env[name]);
  if (missing.length === 0) return;
  throw new Error(
    `${missing.join(", ")} not set: these tests need the engine and the registries of the set-up. ` +
      `Run them with "npm test", or first: eval "$(node scripts/setup.mjs --print-env)"`,
  );
}
