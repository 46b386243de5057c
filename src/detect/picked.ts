const mostPlaces = 20_000;

/**
 * What was picked from a document too large to hold. A path is the keys from the root, joined by `/`; `*` stands for
 * every place of a list, and what is kept below it is a list again.
 */
export class Picked {
  readonly values = new Map<string, unknown>();
  /** False when time ended the reading before the document did. */
  complete = true;

  keep(path: string, value: unknown, index: number): void {
    if (!path.includes("/*")) {
      this.values.set(path, value);
      return;
    }
    const list = (this.values.get(path) ?? []) as unknown[];
    if (index >= mostPlaces) return;
    while (list.length < index) list.push(undefined); // those without this key
    list[index] = value;
    this.values.set(path, list);
  }

  text(path: string): string | undefined {
    const value = this.values.get(path);
    return typeof value === "string" ? value : undefined;
  }

  /** A number, or a text that is one: parameters are often written as texts. */
  number(path: string): number | undefined {
    const value = this.values.get(path);
    if (typeof value === "number" && Number.isFinite(value)) return value;
    return typeof value === "string" && /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) : undefined;
  }

  list(path: string): readonly unknown[] | undefined {
    const value = this.values.get(path);
    return Array.isArray(value) ? value : undefined;
  }

  texts(path: string): readonly string[] | undefined {
    const list = this.list(path);
    return list?.every((one) => typeof one === "string") ? list : undefined;
  }
}

/** What to do with the value at a path: look at what is in it, keep all of it, or pass over it. */
export type Choice = "enter" | "keep" | "skip";
export type Choose = (path: string) => Choice;

/** `keep` for these paths, `enter` for what leads to them. */
export function choose(kept: readonly string[]): Choose {
  const entered = new Set(
    kept.flatMap((path) => path.split("/").map((_, index, parts) => parts.slice(0, index).join("/"))),
  );
  const keep = new Set(kept);
  return (path) => (keep.has(path) ? "keep" : entered.has(path) ? "enter" : "skip");
}
