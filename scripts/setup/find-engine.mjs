// An engine that answers wins; only where there is none, and where we may, one is installed.
import { isDebianRoot } from "./apt.mjs";
import { client } from "./engine-api.mjs";
import { lostItsBridge, startDebianEngine } from "./engine-debian.mjs";
import { SetupError, say } from "./say.mjs";

export async function findEngine() {
  let engine = await client().catch((error) => error);
  if (engine instanceof Error) {
    const chosen = process.env.DOCKER_HOST || process.env.DOCKER_CONTEXT;
    if (chosen || !isDebianRoot())
      throw new SetupError(`${engine.message}\n${chosen ? "" : howToInstall()}`.trim(), 3);
    await startDebianEngine();
    engine = await client();
  } else if (lostItsBridge()) {
    await startDebianEngine();
    engine = await client();
  }
  say(
    `  = engine: ${engine.info.kind} ${engine.info.version} at ${engine.endpoint.host} (${engine.endpoint.source})`,
  );
  return engine;
}

function howToInstall() {
  const lines = {
    darwin: [
      "Install an engine, then run this again:",
      "  brew install colima docker && colima start",
      "or Docker Desktop: https://docs.docker.com/desktop/",
    ],
    win32: ["Install Docker Desktop (https://docs.docker.com/desktop/), start it, then run this again."],
    linux: [
      "Install an engine, then run this again. One of:",
      "  sudo apt-get install docker.io && sudo usermod -aG docker $USER   (Debian, Ubuntu; then log in again)",
      "  sudo dnf install podman && systemctl --user enable --now podman.socket   (Fedora)",
      "  any other system: https://docs.docker.com/engine/install/",
      "As root on Debian or Ubuntu this script installs and starts one by itself.",
    ],
  };
  return (lines[process.platform] ?? lines.linux).join("\n");
}
