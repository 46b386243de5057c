/** An npm package that an installation names. */
export interface NpmPackage {
  name: string;
  version: string;
  /** Subresource integrity of its archive, such as `sha512-...`. */
  integrity?: string;
}

interface Locked {
  version?: unknown;
  integrity?: unknown;
  dev?: unknown;
  link?: unknown;
  name?: unknown;
}

/** The packages of a package-lock.json that `npm ci --omit=dev` installs; optional ones for other platforms are among them. */
export function readNpmLock(text: string): NpmPackage[] {
  const { packages = {} } = JSON.parse(text) as { packages?: Record<string, Locked> };
  const found: NpmPackage[] = [];
  for (const [path, { version, integrity, dev, link, name }] of Object.entries(packages)) {
    const place = path.lastIndexOf("node_modules/");
    if (place < 0 || dev === true || link === true || typeof version !== "string") continue;
    found.push({
      name: typeof name === "string" ? name : path.slice(place + "node_modules/".length),
      version,
      ...(typeof integrity === "string" && { integrity }),
    });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
