import { userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../src/deploy/ports.js";
import { modelship, run } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";
import { smallEngine } from "../setup/small-engine.js";

/** Only root can start a second engine; elsewhere this is counted as skipped. */
describe.runIf(userInfo().uid === 0)("an engine that has never seen the image", () => {
  it("pulls it by digest and runs it with plain docker", async () => {
    const { name, root } = await smallProject();
    cleanImagesOf(await testEngine(), name);
    const place = `${process.env.MODELSHIP_TEST_REGISTRY}/fresh/${name}`;
    const pushed = await modelship(["push", place, "--json", ...networkFlags], { cwd: root });
    expect(pushed.code, pushed.stderr).toBe(0);
    const { reference } = JSON.parse(pushed.stdout);

    const fresh = await smallEngine("900m");
    onTestFinished(fresh.stop);
    const docker = (...args: string[]) => run("docker", ["--host", fresh.host, ...args], { cwd: root });
    const port = await freePort("127.0.0.1");
    const settings = ["--env", `MODELSHIP_PORT=${port}`, "--network", "host"];
    const started = await docker("run", "--detach", "--read-only", "--name", "fresh", ...settings, reference);
    expect(started.code, started.stderr).toBe(0);
    const answer = await answered(`http://127.0.0.1:${port}/v1/predict`);
    expect(await answer?.json(), (await docker("logs", "fresh")).stderr).toMatchObject({ value: 42 });
    const stopped = await docker("rm", "--force", "fresh");
    expect(stopped.code, stopped.stderr).toBe(0);
  });
});

/** The service's first answer, once it is ready. */
async function answered(url: string): Promise<Response | undefined> {
  const deadline = Date.now() + 60_000;
  const headers = { "content-type": "application/json" };
  while (Date.now() < deadline) {
    const answer = await fetch(url, { method: "POST", headers, body: '{"value": 21}' }).catch(
      () => undefined,
    );
    if (answer?.status === 200) return answer;
    await sleep(200);
  }
  return undefined;
}
