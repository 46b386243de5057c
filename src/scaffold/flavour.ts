import { dirname, join, sep } from "node:path";
import { type Detected, modelKinds } from "../detect/detected.js";

/**
 * The model in an MLflow folder, with the signature that the folder states: that is what a template serves. What is
 * no such folder, or holds a flavour of which nothing more is known, is as it was.
 */
export function innerModel(found: Detected): Detected {
  const { modelKind, modelPath } = found.details;
  const kind = modelKinds.find((one) => one === modelKind);
  const [manifest] = found.files;
  if (found.kind !== "mlflow" || !kind || typeof modelPath !== "string" || manifest === undefined)
    return found;
  const path = join(dirname(manifest), modelPath);
  const files = found.files.filter((file) => file === path || file.startsWith(`${path}${sep}`));
  return files.length === 0 ? found : { ...found, kind, files };
}
