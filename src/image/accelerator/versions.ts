/** Versions of Python packages, CUDA and drivers, as far as comparing them goes. */

export function compareVersions(one: string, other: string): number {
  const [a = [], b = []] = [one, other].map((text) =>
    text.split(".").map((part) => Number.parseInt(part, 10) || 0),
  );
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function majorOf(version: string): string {
  return version.split(".")[0] ?? version;
}

/** `2.8.0+cpu` -> `2.8`. */
export function minorOf(version: string): string {
  return version.split("+")[0]?.split(".").slice(0, 2).join(".") ?? version;
}

/** Whether a specifier such as `>=2.5,<3` allows a version; what it cannot read does not forbid it. */
export function allows(specifier: string, version: string): boolean {
  return specifier
    .split(",")
    .map((part) => part.trim())
    .every((part) => allowsOne(part, version));
}

function allowsOne(part: string, version: string): boolean {
  const [, operator, wanted = ""] =
    /^(===|==|~=|!=|<=|>=|<|>)\s*(\d[\w.+*]*)$/.exec(part) ?? ([] as string[]);
  if (operator === undefined) return true;
  const plain = wanted.split("+")[0] ?? wanted;
  if (plain.endsWith(".*")) {
    const same = `${version}.`.startsWith(plain.slice(0, -1));
    return operator === "!=" ? !same : same;
  }
  const order = compareVersions(version, plain);
  switch (operator) {
    case "==":
    case "===":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<=":
      return order <= 0;
    case ">=":
      return order >= 0;
    case "<":
      return order < 0;
    case ">":
      return order > 0;
    default: // ~=
      return order >= 0 && `${version}.`.startsWith(`${plain.split(".").slice(0, -1).join(".")}.`);
  }
}

/** The one that `==` pins, with its local part. */
export function pinnedVersion(specifier: string): string | undefined {
  return /^={2,3}\s*(\d[\w.+!]*)$/.exec(specifier.trim())?.[1];
}

/** The candidate nearest to a version. */
export function nearestVersion(wanted: string, candidates: readonly string[]): string | undefined {
  const distance = (version: string) => {
    const [a = 0, b = 0] = wanted.split(".").map(Number);
    const [c = 0, d = 0] = version.split(".").map(Number);
    if (a === c) return Math.abs(b - d);
    // Of another major version the last one before it, or the first one after it.
    return c < a ? 1000 * (a - c) - d : 1000 * (c - a) + d;
  };
  return [...candidates].sort(
    (one, other) => distance(one) - distance(other) || compareVersions(other, one),
  )[0];
}
