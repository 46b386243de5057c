// Debian packages: only what is missing, and the lists are fetched only when they are needed.
import { existsSync, readFileSync } from "node:fs";
import { ALREADY, step } from "./say.mjs";
import { run } from "./shell.mjs";

export function isDebianRoot() {
  if (process.platform !== "linux" || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    return false;
  return /^(ID|ID_LIKE)=.*(debian|ubuntu)/m.test(
    existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "",
  );
}

export const isUbuntu = () => /^ID=.?ubuntu/m.test(readFileSync("/etc/os-release", "utf8"));

const installed = async (name) =>
  /^Status: install ok installed$/m.test(await run("dpkg-query", ["-s", name]).catch(() => ""));

export async function install(...names) {
  const missing = [];
  for (const name of names) if (!(await installed(name))) missing.push(name);
  await step(`Debian packages ${names.join(" ")}`, async () => {
    if (missing.length === 0) return ALREADY;
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const apt = [
      "-o",
      "DPkg::Lock::Timeout=120",
      "install",
      "-y",
      "-q",
      "--no-install-recommends",
      ...missing,
    ];
    await run("apt-get", apt, { env }).catch(async () => {
      await run("apt-get", ["-q", "update"], { env });
      await run("apt-get", apt, { env });
    });
  });
}
