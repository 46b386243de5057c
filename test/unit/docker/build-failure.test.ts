import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { explainBuildFailure } from "../../../src/docker/build-failure.js";

interface Captured {
  engine: string;
  name: string;
  step: string;
  message: string;
  lines: string[];
}

/** What three engines really said, with the addresses of registries and resolvers replaced. */
const captured: Captured[] = JSON.parse(
  readFileSync(new URL("fixtures/build-failures.json", import.meta.url), "utf8"),
);

const expected: Record<string, { code?: string; says: RegExp; hint?: RegExp; shows?: RegExp }> = {
  notfound: { says: /has no numpy==99\.1/, shows: /^ERROR: No matching distribution found/ },
  nopkg: { says: /has no no-such-package/, shows: /^ERROR: Could not find a version/ },
  nonet: { says: /host name could not be resolved/, hint: /--network/, shows: /name resolution/ },
  cert: {
    says: /TLS certificate could not be verified/,
    hint: /--ca-cert/,
    shows: /https:\/\/index\.example/,
  },
  badreq: { says: /TLS certificate could not be verified/, hint: /--ca-cert/ },
  proxy: { says: /proxy could not be used/, hint: /HTTPS_PROXY/, shows: /Cannot connect to proxy/ },
  hash: { says: /not the one that the requirements were locked to/, shows: /Expected sha256 0000/ },
  missingreq: { says: /requirements file nope\.txt/, shows: /Could not open requirements file/ },
  conflict: { says: /contradict each other/, shows: /The user requested urllib3<2/ },
  gcc: { says: /no compiler/, hint: /build-essential/, shows: /command 'x86_64-linux-gnu-gcc' failed/ },
  missingbase: { code: "pull_failed", says: /cannot reach modelship\.local/, hint: /--base/ },
  hubbase: { code: "pull_failed", says: /cannot reach docker\.io/, hint: /--base/ },
  authbase: {
    code: "authentication",
    says: /127\.0\.0\.1:5001 asks who you are/,
    hint: /modelship login 127/,
  },
  openbase: { code: "pull_failed", says: /127\.0\.0\.1:5000 has no such image/, hint: /--base/ },
  tlsbase: { says: /127\.0\.0\.1:5002 asks who you are|TLS connection of the engine/ },
  syntax: { says: /unknown instruction: RUNN/, hint: /--print-dockerfile/ },
  copymissing: { says: /There is no nothere\.txt/, hint: /\.dockerignore/ },
  pyfull: { code: "disk_full", says: /No space left on device/, hint: /docker system prune/ },
  notfoundcmd: { says: /exit code 127/, hint: /system_packages/, shows: /uvv: not found/ },
  trace: { says: /exit code 1\./, shows: /^ModuleNotFoundError: No module named 'nothere'$/ },
  nosecret: { says: /secret "nothere"/, hint: /--secret id=nothere/ },
  apt: { says: /has no package no-such-package-x/, shows: /^E: Unable to locate/ },
  aptnet: { says: /host name could not be resolved/, hint: /--network/ },
  badnet: { code: "engine_unsupported", says: /no-such-network/ },
  user: { says: /nobodyhere/ },
};

describe.each(captured)("$engine: $name", ({ name, step, message, lines }) => {
  test("is explained", () => {
    const error = explainBuildFailure(step, lines, message);
    const want = expected[name];
    if (name !== "tlsbase") expect(error.code).toBe(want?.code ?? "build_failed");
    expect(`${error.message} ${error.why}`).toMatch(want?.says ?? /^$/);
    if (want?.hint) expect(error.hint).toMatch(want.hint);
    if (want?.shows) expect(error.excerpt.some((line) => want.shows?.test(line))).toBe(true);
    expect(error.excerpt.length).toBeLessThanOrEqual(15);
    for (const line of error.excerpt) expect(line.length).toBeLessThan(340);
  });
});

test("a long installation shows the line that failed, not the hundreds before it", () => {
  const noise = Array.from({ length: 300 }, (_, index) => `Collecting package-${index}`);
  const lines = [
    ...noise,
    "ERROR: No matching distribution found for nmupy==1",
    "",
    "[notice] A new release of pip",
  ];
  const error = explainBuildFailure(
    "[builder 3/4] RUN pip install -r requirements.txt",
    lines,
    "exit code: 1",
  );
  expect(error.message).toBe('The build failed at "RUN pip install -r requirements.txt".');
  expect(error.excerpt).toEqual(["ERROR: No matching distribution found for nmupy==1"]);
});

test("a retry that came right is not taken for the cause", () => {
  const lines = [
    "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError(\"Read timed out.\")': /simple/a/",
    "ERROR: Could not find a version that satisfies the requirement a==9 (from versions: 1, 2)",
    "ERROR: No matching distribution found for a==9",
  ];
  expect(explainBuildFailure("[2/2] RUN pip install a==9", lines, "exit code: 1").why).toContain(
    "has no a==9",
  );
});

test("passwords in addresses are not shown", () => {
  const lines = ["Looking in indexes: https://me:s3cret@index.example/simple", "broken"];
  const error = explainBuildFailure("[2/2] RUN x", lines, "exit code: 1");
  expect(error.excerpt.join()).not.toContain("s3cret");
});

test("a step that was killed points at memory", () => {
  const message = 'process "/bin/sh -c x" did not complete successfully: exit code: 137';
  expect(explainBuildFailure("[2/2] RUN x", [], message).hint).toContain("memory");
});

test("uv and npm are understood too", () => {
  const uv = [
    "  × No solution found when resolving dependencies:",
    "  ╰─▶ Because there is no version of numpy==99 and you require numpy==99, we can conclude that",
    "      your requirements are unsatisfiable.",
  ];
  expect(explainBuildFailure("[2/2] RUN uv pip install numpy==99", uv, "exit code: 1").excerpt[1]).toContain(
    "numpy==99",
  );
  const npm = ["npm error code E404", "npm error 404 Not Found - GET https://npm.example/nothere"];
  expect(explainBuildFailure("[2/2] RUN npm ci", npm, "exit code: 1").why).toContain("E404");
});
