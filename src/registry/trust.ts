import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { systemCode, UserError } from "../errors.js";

/** Where systems keep the authorities that their administrator trusts; the engine reads them too. */
const systemBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

const pemBlock = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/**
 * The authorities that vouch for a registry: those of Node.js, of the system or SSL_CERT_FILE in its place,
 * of NODE_EXTRA_CA_CERTS, of the engine's own folder for this host, and those given.
 */
export function authorities(host: string, env: NodeJS.ProcessEnv, given?: string | Buffer): string[] {
  const system = env.SSL_CERT_FILE ? required(env.SSL_CERT_FILE, "SSL_CERT_FILE") : firstOf(systemBundles);
  const extra = env.NODE_EXTRA_CA_CERTS && required(env.NODE_EXTRA_CA_CERTS, "NODE_EXTRA_CA_CERTS");
  if (given !== undefined && !given.toString().match(pemBlock)) {
    throw new UserError("usage", "The given CA certificate holds no certificate.", {
      why: `A PEM file has lines that say "BEGIN CERTIFICATE".`,
      hint: "Convert it first: openssl x509 -inform der -in ca.cer -out ca.pem",
    });
  }
  const found = [system, extra, ...engineCertificates(host), given?.toString()];
  // The bundles overlap almost wholly, and every certificate costs time.
  const blocks = found.flatMap((text) => text?.match(pemBlock) ?? []);
  const distinct = new Map<string, string>();
  // Bundles break their lines at different places.
  for (const block of [...rootCertificates, ...blocks]) distinct.set(block.replace(/\s+/g, ""), block);
  return [...distinct.values()];
}

function required(path: string, name: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError("usage", `The certificate file ${path} cannot be read.`, {
      why: `${name} names it; the system says ${systemCode(error) ?? "nothing more"}.`,
      hint: `Correct ${name}, or unset it.`,
      cause: error,
    });
  }
}

function firstOf(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const text = optional(path);
    if (text !== undefined) return text;
  }
  return undefined;
}

function engineCertificates(host: string): (string | undefined)[] {
  const folder = join("/etc/docker/certs.d", host);
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".crt"))
      .map((name) => optional(join(folder, name)));
  } catch {
    return [];
  }
}

function optional(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
