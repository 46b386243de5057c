// What the guarded registries need: a password made once, its bcrypt line, and a certificate of our own.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { SetupError } from "./say.mjs";
import { onPath, run } from "./shell.mjs";
import { ensureDir, readJson, statePath, writeState } from "./state.mjs";

export const user = "modelship";

export function password() {
  const saved = readJson("registry-password.json");
  if (saved) return saved.password;
  const made = randomBytes(18).toString("base64url");
  writeState("registry-password.json", JSON.stringify({ password: made }));
  return made;
}

/** The registry takes bcrypt alone. Perl's crypt() makes it with Linux's libcrypt and is on every Debian. */
export function htpasswdLine() {
  const path = statePath("registry.htpasswd");
  if (existsSync(path)) return readFileSync(path, "utf8").trim();
  const hash = onPath("htpasswd") ? withHtpasswd() : withPerl();
  if (!hash?.startsWith("$2"))
    throw new SetupError("No bcrypt hash could be made: install htpasswd (apache2-utils, httpd-tools).");
  writeState("registry.htpasswd", `${user}:${hash}\n`);
  return `${user}:${hash}`;
}

const withHtpasswd = () =>
  spawnSync("htpasswd", ["-niB", user], { input: password() }).stdout?.toString().trim().split(":")[1];

function withPerl() {
  const salt = `$2b$05$${[...randomBytes(21)].map((byte) => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[byte % 32]).join("")}.`;
  const script = "local $/; my ($salt, $password) = split /\\n/, <STDIN>; print crypt($password, $salt)";
  return spawnSync("perl", ["-e", script], { input: `${salt}\n${password()}` })
    .stdout?.toString()
    .trim();
}

export async function certificate() {
  const [key, cert] = [statePath("tls", "registry.key"), statePath("tls", "registry.crt")];
  if (existsSync(key) && existsSync(cert)) return { key, cert };
  ensureDir(statePath("tls"));
  await run("openssl", [
    ...[
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "3650",
    ],
    ...["-keyout", key, "-out", cert, "-subj", "/CN=modelship test registry"],
    ...["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
  ]);
  return { key, cert };
}
