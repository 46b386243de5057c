import { boosters } from "./boosters.js";
import { gguf } from "./gguf.js";
import type { HostileFile } from "./hostile-file.js";
import { huggingFace } from "./hugging-face.js";
import { mlflow } from "./mlflow.js";
import { onnx } from "./onnx.js";
import { paths } from "./paths.js";
import { pickles } from "./pickles.js";
import { safetensors } from "./safetensors.js";
import { tensorflow } from "./tensorflow.js";
import { torch } from "./torch.js";
import { zips } from "./zips.js";

/** All groups. A new format adds its own file and a line here. */
export const corpus: readonly HostileFile[] = [
  ...paths,
  ...pickles,
  ...zips,
  ...onnx,
  ...boosters,
  ...gguf,
  ...safetensors,
  ...torch,
  ...tensorflow,
  ...huggingFace,
  ...mlflow,
];
