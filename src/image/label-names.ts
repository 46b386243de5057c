/** Labels that make an image one of ours, and say what `run` must know about it. */
export const Label = {
  name: "dev.modelship.name",
  version: "dev.modelship.version",
  /** Content key of the build: same inputs, same key. */
  key: "dev.modelship.key",
  /** Key of the code image that weights were grafted onto. */
  code: "dev.modelship.code",
  /** `baked`: the model files are in the image; `mounted`: `run` must mount them. */
  weights: "dev.modelship.weights",
  /** Where the model files are, or are mounted, in the container. */
  files: "dev.modelship.files",
  port: "dev.modelship.port",
  accelerator: "dev.modelship.accelerator",
  /** CUDA version that the image is for, where it is known. */
  cuda: "dev.modelship.cuda",
} as const;
