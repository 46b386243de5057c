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
  const wanted = new Map<LockedPackage, PythonPackage>();
  const visit = (dependencies: readonly Dependency[], within: string | undefined): void => {
    for (const dependency of dependencies) {
      const marker = dependency.marker ?? within;
      for (const found of packages.filter((one) => fits(one, dependency))) {
        const extras = dependency.extras.flatMap((extra) => found.extras.get(extra) ?? []);
        const known = wanted.has(found);
        if (!known && !found.local) {
          const { name, version, hashes } = found;
          wanted.set(found, {
            name,
            ...(version !== undefined && { version }),
            hashes,
            ...(marker !== undefined && { marker }),
          });
        }
        if (!known || extras.length > 0) visitOnce(found, [...found.dependencies, ...extras], marker);
      }
    }
  };
  const visited = new Set<string>();
  const visitOnce = (
    from: LockedPackage,
    dependencies: readonly Dependency[],
    marker: string | undefined,
  ) => {
    const fresh = dependencies.filter(({ name, version = "", extras }) => {
      const edge = [from.name, from.version, name, version, ...extras].join(" ");
      return !visited.has(edge) && visited.add(edge);
    });
    visit(fresh, marker);
  };
  for (const project of packages.filter((one) => one.local))
    visitOnce(project, project.dependencies, undefined);
  return [...wanted.values()];
}

function fits(found: LockedPackage, { name, version }: Dependency): boolean {
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
    dependencies: readDependencies(/^dependencies = \[([\s\S]*?)^\]$/m.exec(head)?.[1] ?? ""),
    extras: new Map(extras),
  };
}

function readDependencies(list: string): Dependency[] {
  return [...list.matchAll(/\{ name = "([^"]+)"(.*?) \}/g)].map(([, name = "", rest = ""]) => {
    const version = /\bversion = "([^"]+)"/.exec(rest)?.[1];
    const marker = /\bmarker = "((?:\\.|[^"\\])*)"/.exec(rest)?.[1];
    const extras = /\bextra = \[([^\]]*)\]/.exec(rest)?.[1] ?? "";
    return {
      name: normalisedName(name),
      ...(version !== undefined && { version }),
      extras: [...extras.matchAll(/"([^"]+)"/g)].map(([, extra = ""]) => extra),
      ...(marker !== undefined && { marker }),
    };
  });
}

function textOf(head: string, key: string): string | undefined {
  return new RegExp(`^${key} = "([^"]*)"$`, "m").exec(head)?.[1];
}
