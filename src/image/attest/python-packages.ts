/** A Python package that an installation names. */
export interface PythonPackage {
  /** As package indexes normalise it: lower case, hyphens. */
  name: string;
  /** Undefined where the installer chose it. */
  version?: string;
  /** `sha256:<hex>` of every file that the lock allows. */
  hashes: readonly string[];
  /** The condition under which it is installed, where it has one. */
  marker?: string;
}

/** Reads requirements as pip does, as far as names go; `-r` leads on to other texts by their path. */
export function readRequirementsText(file: string, texts: ReadonlyMap<string, string>): PythonPackage[] {
  return requirementLines(file, texts).flatMap((line) => readEntry(line) ?? []);
}

/** The lines that requirements consist of, those of the files that `-r` names in its place. */
export function requirementLines(
  file: string,
  texts: ReadonlyMap<string, string>,
  seen = new Set<string>(),
): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  return logicalLines(texts.get(file) ?? "").flatMap((line) => {
    const include = /^(?:-r|--requirement)[= ]?\s*(\S+)/.exec(line)?.[1];
    return include ? requirementLines(beside(file, include), texts, seen) : [line];
  });
}

/** Packages by name; where both lists have one, the later list's counts: it is installed over the other. */
export function installedOver(
  first: readonly PythonPackage[],
  later: readonly PythonPackage[],
): PythonPackage[] {
  const replaced = new Set(later.map(({ name }) => name));
  return [...first.filter(({ name }) => !replaced.has(name)), ...later].sort(
    (a, b) => compare(a.name, b.name) || compare(a.version ?? "", b.version ?? ""),
  );
}

export function normalisedName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

/** What stands after a name: versions, or where it comes from; the latter may hold a password and is not kept. */
const requirement =
  /^([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*([=<>!~(][^;]*|@\s*\S+)?\s*(?:;(.*))?$/;

function readEntry(line: string): PythonPackage | undefined {
  const bare = line.replace(/\s--\w[\w-]*[= ]\S+/g, "").trim();
  const [, name, constraint = "", marker] = requirement.exec(bare) ?? [];
  if (name === undefined || /\.(whl|tar\.gz|zip)$/.test(name)) return undefined;
  const version = /^={2,3}\s*([^,\s*]+)\s*$/.exec(constraint.trim())?.[1];
  const hashes = [...line.matchAll(/--hash[= ](sha256:[0-9a-f]{64})\b/g)].map(([, hash = ""]) => hash);
  return {
    name: normalisedName(name),
    ...(version !== undefined && { version }),
    hashes: hashes.sort(),
    ...(marker?.trim() && { marker: marker.trim() }),
  };
}

/** Lines without comments, with those that a backslash continues put together. */
function logicalLines(text: string): string[] {
  return text
    .replace(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");
}

function beside(file: string, other: string): string {
  const folder = file.includes("/") ? file.slice(0, file.lastIndexOf("/") + 1) : "";
  return new URL(folder + other, "file:///").pathname.slice(1);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
