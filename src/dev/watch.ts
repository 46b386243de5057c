import { type FSWatcher, watch } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors.js";
import type { Reporter } from "../reporter.js";
import type { WatchFilter } from "./watch-filter.js";

/** A save is often several events, and a save of everything several files: they are over when it has been quiet so long. */
const quietMs = 100;

/**
 * Notices what changes in a project, folder by folder: Node's recursive watching would watch every file of a
 * virtualenv too. A file that an editor replaces by another of its name has changed.
 */
export class ProjectWatch {
  readonly #root: string;
  readonly #report: Reporter;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #changed = new Set<string>();
  #filter: WatchFilter;
  #quiet: NodeJS.Timeout | undefined;
  #next = nextChange();
  #warned = false;
  #closed = false;

  private constructor(root: string, filter: WatchFilter, report: Reporter) {
    this.#root = root;
    this.#filter = filter;
    this.#report = report;
  }

  static async open(root: string, filter: WatchFilter, report: Reporter): Promise<ProjectWatch> {
    const project = new ProjectWatch(root, filter, report);
    await project.#enter("", () => {});
    return project;
  }

  /** From now on other files matter. */
  set filter(filter: WatchFilter) {
    this.#filter = filter;
  }

  /** Resolves when something has changed that was not taken yet, and nothing more has for a moment. */
  get changed(): Promise<void> {
    return this.#next.promise;
  }

  /** What has changed since it was last asked. */
  take(): string[] {
    const paths = [...this.#changed].sort();
    this.#changed.clear();
    clearTimeout(this.#quiet);
    this.#next = nextChange();
    return paths;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#quiet);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #note(path: string): void {
    if (this.#closed || !this.#filter.matters(path)) return;
    this.#changed.add(path);
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#next.resolve(), quietMs);
  }

  /** Watches a folder and those in it; `found` gets the files, which for a new folder are changes as well. */
  async #enter(folder: string, found: (path: string) => void): Promise<void> {
    const place = join(this.#root, folder);
    if (!this.#watch(folder, place)) return;
    const entries = await readdir(place, { withFileTypes: true }).catch(() => []); // gone again
    // A virtualenv of any name: its thousands of files are nobody's to edit.
    if (folder !== "" && entries.some(({ name }) => name === "pyvenv.cfg")) return this.#leave(folder);
    for (const entry of entries) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (!entry.isDirectory()) found(path);
      else if (this.#filter.enters(path)) await this.#enter(path, found);
    }
  }

  #watch(folder: string, place: string): boolean {
    if (this.#closed) return false;
    try {
      const watcher = watch(place, (event, name) => void this.#happened(folder, event, name));
      watcher.on("error", () => this.#leave(folder));
      this.#watchers.get(folder)?.close();
      this.#watchers.set(folder, watcher);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      if (!this.#warned)
        this.#report({
          type: "warning",
          message: `Not every folder can be watched, so that some saves go unnoticed: ${messageOf(error)}`,
          hint: "Where the system's limit is reached, raise fs.inotify.max_user_watches, or list large folders in .dockerignore.",
        });
      this.#warned = true;
      return false;
    }
  }

  async #happened(folder: string, event: string, name: string | null): Promise<void> {
    if (name === null) return;
    const path = folder === "" ? name : `${folder}/${name}`;
    const info = await lstat(join(this.#root, path)).catch(() => undefined);
    if (!info?.isDirectory()) {
      this.#leave(path);
      this.#note(path);
    } else if (event === "rename" && this.#filter.enters(path)) {
      // Perhaps another folder of the same name, as a checkout leaves it; the old one's watchers see nothing any more.
      this.#leave(path);
      await this.#enter(path, (file) => this.#note(file));
    }
  }

  /** Forgets a folder, and all in it. */
  #leave(folder: string): void {
    for (const [path, watcher] of this.#watchers) {
      if (path !== folder && !path.startsWith(`${folder}/`)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
  }
}

function nextChange(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
