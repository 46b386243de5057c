import { type LayerPlan, planLayers, weightFiles } from "../weights/layers.js";
import { appFolder, type ModelFiles } from "./context.js";

/** The weight layers of a project. Nobody runs a weight: the mode is the same whatever this machine's says. */
export function modelLayers(model: ModelFiles): LayerPlan[] {
  const files = model.files.map((file) => ({ ...file, executable: false }));
  return planLayers(weightFiles(files, appFolder));
}
