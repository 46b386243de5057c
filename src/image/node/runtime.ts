import { packagePath } from "../../package.js";
import { listFiles } from "../../project/files.js";

/** The service for Node as it was compiled, with its package.json and the lock of its packages. */
export async function nodeRuntime() {
  const everything = { ignores: () => false, prunes: () => false };
  const source = packagePath("templates/service/node");
  const [compiled, manifest, lock] = await Promise.all([
    listFiles(packagePath("dist/service-node"), "", everything),
    listFiles(source, "package.json", everything),
    listFiles(source, "package-lock.json", everything),
  ]);
  return { locks: [...manifest, ...lock], service: [...compiled, ...manifest] };
}
