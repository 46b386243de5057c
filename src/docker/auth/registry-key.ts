/** The key under which Docker keeps the credential of Docker Hub. */
export const hubKey = "https://index.docker.io/v1/";

const hubHosts = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

export function isHub(registry: string): boolean {
  return hubHosts.has(hostOfKey(registry));
}

/** The host, with its port, of a key in a config file: keys may carry a scheme and a path. */
export function hostOfKey(key: string): string {
  return key
    .replace(/^https?:\/\//i, "")
    .replace(/\/.*$/s, "")
    .toLowerCase();
}

/** The key under which Docker keeps the credential of a registry. */
export function authKey(registry: string): string {
  return isHub(registry) ? hubKey : hostOfKey(registry);
}

/** Picks the entry of one registry from a map keyed by registry: the exact key first, then any spelling of its host. */
export function entryOf<T>(entries: Readonly<Record<string, T>>, registry: string): T | undefined {
  const key = keysOf(entries, registry)[0];
  return key === undefined ? undefined : entries[key];
}

/** All keys that mean this registry, best first. */
export function keysOf(entries: Readonly<Record<string, unknown>>, registry: string): string[] {
  const wanted = authKey(registry);
  const host = hostOfKey(registry);
  const rank = (key: string): number | undefined => {
    if (key === wanted) return 0;
    if (isHub(registry) ? !isHub(key) : hostOfKey(key) !== host) return undefined;
    const path = key.replace(/^https?:\/\//i, "").replace(/^[^/]*/, "");
    // A key with the path of a namespace is only the last resort: it is meant for a part of the registry.
    return path === "" || path === "/" ? 1 : /^\/v[12]\/?$/.test(path) ? 2 : 3;
  };
  return Object.keys(entries)
    .flatMap((key) => {
      const found = rank(key);
      return found === undefined ? [] : [{ key, rank: found }];
    })
    .sort((one, other) => one.rank - other.rank)
    .map(({ key }) => key);
}
