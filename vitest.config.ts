import { defineConfig } from "vitest/config";

const isDefaultEngine = (process.env.MODELSHIP_TEST_ENGINE ?? "default") === "default";
/** What other engines take no part in, or no other part than in the rest, is tested once. */
const withoutEngine = [
  "absent-gpu",
  "contract",
  "debug",
  "edge",
  "init-from",
  "layout",
  "node",
  "output",
  "platforms",
  "predict",
  "pull",
  "push-broken-off",
  "push-weights",
  "real-service",
  "registry",
  "upload",
  "verify",
].map((name) => `test/integration/${name}.test.ts`);

/**
 * unit: no daemon, no network. dev: Python and a package index, no engine.
 * service: the real Python service in a real Chromium. integration: a real engine and a real registry (scripts/setup.mjs starts them).
 * templates: every template as an image. registries: others than the set-up's. e2e: the packed tarball, typed as a user types. Engine suites run one file at a time: they share one daemon.
 */
export default defineConfig({
  test: {
    projects: [
      // Many start the command line, which takes its time where others do too.
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 30_000 } },
      {
        test: {
          name: "dev",
          include: ["test/dev/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "service",
          include: ["test/service/**/*.test.ts"],
          expect: { poll: { timeout: 15_000 } },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          exclude: isDefaultEngine ? [] : withoutEngine,
          globalSetup: ["test/setup/require-engine.ts"],
          fileParallelism: false,
          testTimeout: 180_000,
          // Podman 4.3 can crash after an interrupted build (a nil pointer in buildah), and is started again.
          retry: process.env.MODELSHIP_TEST_ENGINE === "podman" ? { count: 2, delay: 3_000 } : 0,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "templates",
          include: ["test/templates/**/*.test.ts"],
          globalSetup: ["test/setup/require-engine.ts"],
          fileParallelism: false,
          testTimeout: 3_600_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "registries",
          include: ["test/registries/**/*.test.ts"],
          globalSetup: ["test/setup/require-engine.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/setup/require-engine.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
