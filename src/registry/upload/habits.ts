import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheFolder } from "../../cache.js";
import { hostname } from "../reference.js";

/** How a registry wants large blobs. */
export interface Habit {
  /** In one piece, without saying which part of the blob it is. */
  whole?: boolean;
  /** Bytes of the largest piece it takes. */
  largest?: number;
}

/** They refuse pieces, or lose count of them. */
const wholeOnly = /(^|\.)(ghcr\.io|gcr\.io|pkg\.dev|amazonaws\.com)$/;
const lifetime = 7 * 24 * 60 * 60 * 1000;

/** What is known of registries beforehand, and what was learned from their refusals, for some days. */
export class Habits {
  private readonly path: string;

  constructor(env: NodeJS.ProcessEnv) {
    this.path = join(cacheFolder(env), "registries.json");
  }

  async of(host: string): Promise<Habit> {
    if (wholeOnly.test(hostname(host))) return { whole: true };
    const { whole, largest } = (await this.read())[host] ?? {};
    return {
      ...(whole === true && { whole }),
      ...(typeof largest === "number" && largest > 0 && { largest }),
    };
  }

  async learn(host: string, habit: Habit): Promise<void> {
    const all = await this.read();
    all[host] = { ...all[host], ...habit, until: Date.now() + lifetime };
    try {
      await mkdir(dirname(this.path), { recursive: true });
      const beside = `${this.path}.${process.pid}`;
      await writeFile(beside, JSON.stringify(all));
      await rename(beside, this.path);
    } catch {
      // It is learned again, at the same cost.
    }
  }

  private async read(): Promise<Record<string, Habit & { until: number }>> {
    try {
      const all: unknown = JSON.parse(await readFile(this.path, "utf8"));
      const entries = Object.entries(all as Record<string, (Habit & { until: number }) | null>);
      return Object.fromEntries(
        entries.flatMap(([host, habit]) => (habit && habit.until > Date.now() ? [[host, habit]] : [])),
      );
    } catch {
      return {};
    }
  }
}
