import type { IgnoreRules } from "../project/ignore.js";

/** Which changes under a project call for a restart. Paths are relative to it, with forward slashes. */
export interface WatchFilter {
  /** A file whose change matters. */
  matters: (path: string) => boolean;
  /** A folder in which such files may be. */
  enters: (folder: string) => boolean;
}

const folders =
  /(^|\/)(\.git|\.hg|\.modelship|\.venv|node_modules|__pycache__|\.ipynb_checkpoints|\.idea|\.vscode|\.\w+_cache)(\/|$)/;
/** What editors and Python leave beside a file while it is saved or used. */
const leftovers = /(^|\/)([^/]*~|\.[^/]*\.sw[a-z]|4913|\.?#[^/]*|[^/]*\.py[co]|\.DS_Store)$/;

/** What never enters an image does not matter, but for files that `dev` itself reads. */
export function watchFilter(rules: IgnoreRules, read: readonly string[]): WatchFilter {
  const isRead = (path: string) => read.some((one) => path === one || path.startsWith(`${one}/`));
  return {
    matters: (path) => isRead(path) || !(folders.test(path) || leftovers.test(path) || rules.ignores(path)),
    enters: (folder) =>
      read.some((one) => one.startsWith(`${folder}/`)) ||
      isRead(folder) ||
      !(folders.test(folder) || rules.prunes(folder)),
  };
}
