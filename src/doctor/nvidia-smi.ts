import { exec } from "../exec.js";

export interface Gpu {
  index: string;
  name: string;
  /** `8.9`; `undefined` of a driver that is too old to say. */
  capability: string | undefined;
}

/** What the driver of this machine says of its GPUs. */
export type DriverReport =
  | { state: "missing" }
  /** In its own words. */
  | { state: "broken"; reason: string }
  | { state: "ok"; driver: string; gpus: readonly Gpu[] };

const seconds = 20;

/** Asks nvidia-smi, which comes with the driver. */
export async function askDriver(env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<DriverReport> {
  const ask = (fields: string) =>
    exec("nvidia-smi", [`--query-gpu=${fields}`, "--format=csv,noheader,nounits"], {
      env,
      timeout: seconds * 1000,
      ...(signal && { signal }),
    });
  let fields = ["index", "driver_version", "compute_cap", "name"];
  let said = await ask(fields.join(","));
  if (said.missing) return { state: "missing" };
  if (said.exitCode !== 0 && /compute_cap/.test(said.stdout + said.stderr)) {
    fields = fields.filter((field) => field !== "compute_cap");
    said = await ask(fields.join(","));
  }
  const lines = said.stdout.split("\n").filter((line) => line.trim() !== "");
  if (said.exitCode !== 0) {
    const told = [...said.stderr.split("\n"), ...lines].map((line) => line.trim()).filter(Boolean);
    const none =
      said.exitCode === undefined ? `it did not answer within ${seconds} s` : `exit code ${said.exitCode}`;
    return { state: "broken", reason: (told[0] ?? `nvidia-smi failed: ${none}`).slice(0, 300) };
  }
  const rows = lines.map((line) => readRow(line, fields)).filter((row) => row !== undefined);
  const [first] = rows;
  if (!first) return { state: "broken", reason: lines[0]?.slice(0, 300) ?? "it names no GPU" };
  return { state: "ok", driver: first.driver, gpus: rows.map(({ driver: _, ...gpu }) => gpu) };
}

/** The name comes last, for it may hold a comma. */
function readRow(line: string, fields: readonly string[]): (Gpu & { driver: string }) | undefined {
  const cells = line.split(",").map((cell) => cell.trim());
  const value = (field: string) => cells[fields.indexOf(field)];
  const driver = value("driver_version");
  if (!driver || !/^\d+(\.\d+)+$/.test(driver) || cells.length < fields.length) return undefined;
  const capability = value("compute_cap");
  return {
    driver,
    index: value("index") ?? "",
    name: cells.slice(fields.length - 1).join(", "),
    capability: capability && /^\d+\.\d+$/.test(capability) ? capability : undefined,
  };
}
