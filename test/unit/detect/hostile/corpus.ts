import { boosters } from "./boosters.js";
import type { HostileFile } from "./hostile-file.js";
import { onnx } from "./onnx.js";
import { paths } from "./paths.js";
import { pickles } from "./pickles.js";
import { zips } from "./zips.js";

/** All groups. A new format adds its own file and a line here. */
export const corpus: readonly HostileFile[] = [...paths, ...pickles, ...zips, ...onnx, ...boosters];
