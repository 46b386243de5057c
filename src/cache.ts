import { homedir } from "node:os";
import { join } from "node:path";

/** Where things are kept that only save time: `XDG_CACHE_HOME/modelship`, else `~/.cache/modelship`. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "modelship");
}
