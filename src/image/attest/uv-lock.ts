import { normalisedName, type PythonPackage } from "./python-packages.js";

interface LockedPackage extends PythonPackage {
  /** The project itself, or another that lies in its folder. */
  local: boolean;
  dependencies: readonly Dependency[];
  extras: ReadonlyMap<string, readonly Dependency[]>;
}

interface Dependency {
  name: string;
  /** Only where a lock holds several versions of the package. */
  version?: string;
  extras: readonly string[];
  marker?: string;
}

/**
 * The packages of a uv.lock that the project needs, without those of its development groups. uv writes the file in one
 * fixed form, which is what is read here.
 */
export function readUvLock(text: string): PythonPackage[] {
  const packages = text
    .split(/^\[\[package\]\]$/m)
    .slice(1)
    .map(readPackage);
  const wanted = new Map<LockedPackage, (string | undefined)[]>();
  const followed = new Set<string>();
  const open = packages.filter(({ local }) => local).flatMap(({ dependencies }) => dependencies);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { name, version, extras, marker } = next;
    for (const found of packages.filter((one) => fits(one, name, version))) {
      if (!found.local) wanted.set(found, [...(wanted.get(found) ?? []), marker]);
      for (const extra of ["", ...extras]) {
        const step = [found.name, found.version, extra].join(" ");
        if (followed.has(step)) continue;
        followed.add(step);
        open.push(...(extra === "" ? found.dependencies : (found.extras.get(extra) ?? [])));
      }
    }
  }
  return [...wanted].map(([{ name, version, hashes }, markers]) => {
    const conditions = markers.filter((marker) => marker !== undefined);
    const always = conditions.length < markers.length;
    return {
      name,
      ...(version !== undefined && { version }),
      hashes,
      ...(!always && { marker: [...new Set(conditions)].sort().join(" or ") }),
    };
  });
}

function fits(found: LockedPackage, name: string, version: string | undefined): boolean {
  return found.name === name && (version === undefined || version === found.version);
}

function readPackage(section: string): LockedPackage {
  const own = section.split(/^\[package\.(?!optional-dependencies\])/m)[0] ?? "";
  const [head = "", optional = ""] = own.split(/^\[package\.optional-dependencies\]$/m);
  const version = textOf(head, "version");
  const hashes = [...head.matchAll(/\bhash = "(sha256:[0-9a-f]{64})"/g)].map(([, hash = ""]) => hash);
  const extras = [...optional.matchAll(/^([\w.-]+|"[^"]+") = \[([\s\S]*?)\]$/gm)].map(
    ([, name = "", list = ""]) => [name.replaceAll('"', ""), readDependencies(list)] as const,
  );
  return {
    name: normalisedName(textOf(head, "name") ?? ""),
    ...(version !== undefined && { version }),
    hashes: [...new Set(hashes)].sort(),
    local: /^source = \{ (?:virtual|editable|directory) = /m.test(head),
    dependencies: readDependencies(/^dependencies = \[([\s\S]*?)\]$/m.exec(head)?.[1] ?? ""),
    extras: new Map(extras),
  };
}

/** Entries in lines of their own, or one after the other in a single line. */
function readDependencies(list: string): Dependency[] {
  return list.split(/\n|(?<=\}), (?=\{ name = )/).flatMap((entry) => {
    const [, name, rest = ""] = /^\s*\{ name = "([^"]+)"(.*)\},?\s*$/.exec(entry) ?? [];
    if (name === undefined) return [];
    const version = /\bversion = "([^"]+)"/.exec(rest)?.[1];
    const marker = /\bmarker = "((?:\\.|[^"\\])*)"/.exec(rest)?.[1];
    const extras = /\bextra = \[([^\]]*)\]/.exec(rest)?.[1] ?? "";
    return {
      name: normalisedName(name),
      ...(version !== undefined && { version }),
      extras: [...extras.matchAll(/"([^"]+)"/g)].map(([, extra = ""]) => extra),
      ...(marker !== undefined && { marker: marker.replaceAll('\\"', '"') }),
    };
  });
}

function textOf(head: string, key: string): string | undefined {
  return new RegExp(`^${key} = "([^"]*)"$`, "m").exec(head)?.[1];
}
