/** Other manifests for the same weight layers, each under a tag of its own: `1.2.0-weights`. */
export const faceKinds = ["weights", "modelcar", "modelpack"] as const;
export type FaceKind = (typeof faceKinds)[number];
