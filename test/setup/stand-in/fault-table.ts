import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isUserError } from "../../../src/errors.js";
import { RegistryClient } from "../../../src/registry/client.js";
import { sendBlob } from "../../../src/registry/upload/send-blob.js";
import { blobOf } from "../bytes-blob.js";
import type { PlannedFault } from "./faults.js";
import type { MannerName } from "./manner.js";
import { startStandIn } from "./registry.js";
import { mended, told } from "./scenarios.js";

const megabyte = 1024 * 1024;
const repository = "acme/digits";
const login = { username: "ada", password: "secret", lifetime: 300 };

export interface FaultRow {
  fault: string;
  /** How the registry treats uploads. */
  manner: MannerName;
  /** `arrived`, or what the user is told. */
  outcome: string;
  bytesTwice: number;
  seconds: number;
  /** Whether all that the registry keeps has the digest it is kept under. */
  sound: boolean;
}

/** Every bad day, one after the other: what came of it, and how many bytes went twice. */
export async function* faultTable(options: { slowCommit?: number } = {}): AsyncGenerator<FaultRow> {
  const content = randomBytes(130 * megabyte);
  const days: { fault: string; planned: readonly PlannedFault[]; manner?: MannerName }[] = [
    ...mended,
    ...told,
  ];
  if (options.slowCommit !== undefined) {
    const milliseconds = options.slowCommit * 1000;
    const planned = [{ method: "PUT", fault: { kind: "slow", milliseconds } }] as const;
    days.push({ fault: `the commit takes ${options.slowCommit} s`, planned });
  }
  for (const day of days) yield await oneDay(content, day);
}

async function oneDay(
  content: Buffer,
  {
    fault,
    planned,
    manner = "distribution",
  }: { fault: string; planned: readonly PlannedFault[]; manner?: MannerName },
): Promise<FaultRow> {
  const server = await startStandIn({ manner, tokens: login });
  for (const one of planned) server.inject(one);
  const cache = await mkdtemp(join(tmpdir(), "modelship-faults-"));
  const client = new RegistryClient(server.host, {
    credentials: async () => ({ kind: "basic", username: login.username, password: login.password }),
    env: { XDG_CACHE_HOME: cache },
    timeout: 2_000,
  });
  const started = performance.now();
  try {
    let bytesTwice = 0;
    const outcome = await sendBlob(client, blobOf(content, { digestKnown: false }), { repository }).then(
      ({ bytesSent, size }) => {
        bytesTwice = bytesSent - size;
        return "arrived";
      },
      (error: unknown) =>
        isUserError(error) ? error.message.replaceAll(server.host, "the registry") : `defect: ${error}`,
    );
    const seconds = (performance.now() - started) / 1000;
    return { fault, manner, outcome, bytesTwice, seconds, sound: server.store.corrupt().length === 0 };
  } finally {
    client.close();
    await server.close();
    await rm(cache, { recursive: true, force: true });
  }
}
