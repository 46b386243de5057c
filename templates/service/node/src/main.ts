/** From the environment to an exit code. */
import { KeySource } from "./guard/key-file.js";
import { KeysError } from "./guard/keys.js";
import { Server } from "./http/server.js";
import { Log } from "./log.js";
import { endWithStdin } from "./parent.js";
import { Service } from "./service.js";
import { readSettings, type Settings, SettingsError } from "./settings.js";

const exit = { ok: 0, failed: 1, settings: 2, model: 3, workers: 4 };
const allAddresses = "0.0.0.0";
const loopback = "127.0.0.1";
/** Libraries that report their use to their makers unless told not to. A value that is set already is kept. */
const noTelemetry = { DO_NOT_TRACK: "1", ORT_DISABLE_TELEMETRY: "1" };

async function main(): Promise<number> {
  endWithStdin();
  Object.assign(process.env, { ...noTelemetry, ...process.env });
  let log = new Log();
  let settings: Settings;
  let keys: KeySource;
  let host: string;
  try {
    settings = readSettings(process.env);
    log = new Log(settings.logLevel);
    keys = new KeySource(settings.apiKeys, settings.keysFile, log);
    host = address(settings, keys, log);
  } catch (problem) {
    if (!(problem instanceof SettingsError) && !(problem instanceof KeysError)) throw problem;
    return complain(log, "settings_invalid", problem.message, exit.settings);
  }
  return serve(new Service(settings, process.cwd(), log, keys), host);
}

/** Where to listen. Without keys nobody else gets in, unless that is what was asked for. */
function address({ host, open, keysEnv }: Settings, keys: KeySource, log: Log): string {
  if (keys.configured) return host ?? allAddresses;
  if (keysEnv !== undefined)
    throw new SettingsError(`the API keys are to come from ${keysEnv}, which is not set`);
  const how =
    "set MODELSHIP_API_KEYS or MODELSHIP_KEYS_FILE, or MODELSHIP_OPEN=1 to serve everyone without a key";
  if (open) {
    const chosen = host ?? allAddresses;
    const reason = `no API key is configured: ${chosen} serves everyone who can reach it`;
    if (!isLoopback(chosen)) log.write("warning", "open", { reason });
    return chosen;
  }
  if (host === undefined) {
    const reason = `no API key is configured: only this machine is served; ${how}`;
    log.write("warning", "loopback_only", { reason });
    return loopback;
  }
  if (!isLoopback(host))
    throw new SettingsError(`no API key is configured, and MODELSHIP_HOST is ${host}: ${how}`);
  return host;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

async function serve(service: Service, host: string): Promise<number> {
  const { settings, log, keys } = service;
  const server = new Server(service);
  const hurry = new AbortController();
  let leave: (why: "signal" | "failed") => void = () => {};
  const leaving = new Promise<"signal" | "failed">((resolve) => {
    leave = resolve;
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (service.state === "draining" && signal === "SIGINT") hurry.abort();
      service.drain(signal);
      leave("signal");
    });
  }
  process.on("SIGHUP", () => keys.reload());
  // A fault of ours in one request is no reason to end all the others.
  process.on("unhandledRejection", (error) => {
    const traceback = error instanceof Error ? error.stack : String(error);
    log.write("error", "internal_error", { traceback });
  });
  let port: number;
  try {
    port = await server.listen(host, settings.port);
  } catch (problem) {
    const reason = `cannot listen on ${host} port ${settings.port}: ${(problem as NodeJS.ErrnoException).code}`;
    return complain(log, "listen_failed", reason, exit.failed);
  }
  log.write("info", "listening", { name: settings.name, version: settings.version, host, port });
  keys.watch();
  void service.load(() => leave("failed"));
  if ((await leaving) === "signal") await server.drain(hurry.signal);
  else server.close();
  const code = endOf(service);
  await service.stop();
  log.write("info", "stopped", { exit_code: code, uptime_s: Math.round(process.uptime() * 1000) / 1000 });
  return code;
}

function endOf({ failed, broken, log }: Service): number {
  if (failed) {
    process.stderr.write(`${failed.shown}\n`);
    log.write("error", "model_failed", { stage: failed.stage, reason: failed.message });
    return exit.model;
  }
  return broken ? exit.workers : exit.ok;
}

function complain(log: Log, event: string, reason: string, code: number): number {
  log.write("error", event, { reason });
  process.stderr.write(`${reason}\n`);
  return code;
}

process.exit(await main());
