import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { rootCertificates } from "node:tls";
import { UserError } from "../errors.js";
import { installSecret } from "./dockerfile.js";

/** What dependency installs need to know of this machine's network. Reaches them as secrets, never as a layer. */
export interface InstallSettings {
  /** A file of shell exports: package indexes, proxies, where the CA bundle is mounted. */
  exports: Buffer | undefined;
  /** PEM bundle: the given certificates and the public roots. */
  ca: Buffer | undefined;
  /** One line each for the user. */
  notes: readonly string[];
  warnings: readonly { message: string; hint?: string }[];
}

export interface InstallOptions {
  root: string;
  env: NodeJS.ProcessEnv;
  /** `--ca-cert` or `image.ca_certs`; a project path or an absolute one. */
  caCerts: string | null;
  /** Which installer is told; pip, and apt, unless it is npm's. */
  runtime?: "python" | "node";
  /** `--index-url`. */
  indexUrl: string | undefined;
  /** The build shares this machine's network, so loopback addresses mean the same there. */
  hostNetwork: boolean;
}

const caVariables = ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];
const proxyVariables = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];
const indexVariables = [
  "PIP_INDEX_URL",
  "PIP_EXTRA_INDEX_URL",
  "PIP_TRUSTED_HOST",
  "PIP_DEFAULT_TIMEOUT",
  "PIP_RETRIES",
];
const registryVariables = ["NPM_CONFIG_REGISTRY", "npm_config_registry"];

export async function readInstallSettings(options: InstallOptions): Promise<InstallSettings> {
  const { env } = options;
  const notes: string[] = [];
  const warnings: { message: string; hint?: string }[] = [];
  const exports = new Map<string, string>();

  const isNode = options.runtime === "node";
  const index = isNode ? "npm_config_registry" : "PIP_INDEX_URL";
  const named = (isNode ? registryVariables : indexVariables).filter((name) => env[name]);
  for (const name of named) exports.set(name, env[name] ?? "");
  if (options.indexUrl) exports.set(index, options.indexUrl);
  const chosen = exports.get(index) ?? (isNode ? env.NPM_CONFIG_REGISTRY : undefined);
  const source = options.indexUrl ? "--index-url" : isNode ? named[0] : index;
  if (chosen) notes.push(`Packages come from ${hostOf(chosen)} (${source})`);

  for (const name of proxyVariables) {
    const value = env[name] || env[name.toLowerCase()];
    if (!value) continue;
    exports.set(name, value);
    exports.set(name.toLowerCase(), value);
    if (name === "NO_PROXY") continue;
    notes.push(`Dependency installs use the proxy ${hostOf(value)} (${name})`);
    if (!options.hostNetwork && /^(localhost|127\.|\[::1\])/.test(hostOf(value))) {
      warnings.push({
        message: `${name} names this machine itself (${hostOf(value)}), which a build container cannot reach.`,
        hint: "Build with `--network host`, or give the proxy by an address that containers reach.",
      });
    }
  }

  const bundle = await readBundle(options, warnings);
  if (bundle) {
    notes.push(`Dependency installs trust the CA bundle ${bundle.file} (${bundle.source})`);
    const mounted = `/run/secrets/${installSecret.ca}`;
    for (const name of ["PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
      exports.set(name, mounted);
  }

  const lines = [...exports].map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`);
  return {
    exports: lines.length > 0 ? Buffer.from(lines.join("")) : undefined,
    ca: bundle && Buffer.from(withPublicRoots(bundle.pem)),
    notes,
    warnings,
  };
}

/** Host of the package index that somebody has chosen for this build; `undefined` where it is the public one. */
export function chosenIndex(env: NodeJS.ProcessEnv, indexUrl: string | undefined): string | undefined {
  const address = indexUrl || env.PIP_INDEX_URL || env.PIP_EXTRA_INDEX_URL?.trim().split(/\s+/)[0];
  return address ? hostOf(address) : undefined;
}

/**
 * pip's --cert replaces its own roots, so a private CA is joined with the public ones.
 * A whole system bundle has them already, and a BuildKit secret may not exceed 500 KiB.
 */
function withPublicRoots(pem: string): string {
  const certificates = pem.split("-----BEGIN CERTIFICATE-----").length - 1;
  return [pem.trim(), ...(certificates < 40 ? rootCertificates : []), ""].join("\n");
}

interface Bundle {
  file: string;
  pem: string;
  source: string;
}

async function readBundle(
  options: InstallOptions,
  warnings: { message: string; hint?: string }[],
): Promise<Bundle | undefined> {
  const variable = caVariables.find((name) => options.env[name]);
  const asked = options.caCerts !== null;
  const file = asked ? resolve(options.root, options.caCerts as string) : variable && options.env[variable];
  if (!file) return undefined;
  const source = asked ? "image.ca_certs" : (variable as string);
  const problem = await readFile(file, "utf8").then(
    (pem) => (pem.includes("-----BEGIN CERTIFICATE-----") ? { pem } : "it holds no PEM certificate"),
    (error: Error) => error.message,
  );
  if (typeof problem !== "string") return { file, pem: problem.pem, source };
  if (!asked) {
    warnings.push({ message: `The CA bundle that ${source} names is not used: ${problem}.` });
    return undefined;
  }
  throw new UserError("usage", `The CA bundle ${file} cannot be used.`, {
    why: `${problem[0]?.toUpperCase()}${problem.slice(1)}.`,
    hint: "Name a file of PEM certificates with --ca-cert or image.ca_certs.",
  });
}

/** Host and port of an address, without user, password or path: safe to show. */
function hostOf(address: string): string {
  try {
    return new URL(address.includes("://") ? address : `http://${address}`).host;
  } catch {
    return "an address that is not a URL";
  }
}
