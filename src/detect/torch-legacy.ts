import { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";
import { walkPickle } from "./pickle-walk.js";
import type { FileReader } from "./reader.js";
import { describeTorchPickle } from "./torch-pickle.js";

/** The first pickle of the file: the number 0x1950a86a20f9469cfc6c. */
const magic = Buffer.from("80028a0a6cfc9c46f9206aa850192e", "hex");
const beforeTheObject = 3;

/** `torch.save` before PyTorch 1.6: pickles in a row (magic, version, system, object, keys), then the numbers. */
export const torchLegacy: FileReader = {
  name: "PyTorch, old form",
  recognises: ({ head }) => head.subarray(0, magic.length).equals(magic),
  async read(file, signal) {
    const cursor = ByteCursor.ofFile(file);
    for (let at = 0; at < beforeTheObject; at++) await walkPickle(cursor, { signal, time: 1000 });
    const contents = await walkPickle(cursor, { signal, time: 4000 });
    const described = describeTorchPickle(file.path, contents, "legacy");
    if (contents.complete) {
      const keys = await walkPickle(cursor, { signal, time: 1000 });
      const count = described.details.tensors;
      // Each storage has at least its length of 8 bytes
      const hasNumbers = file.size > cursor.position;
      if (keys.complete && typeof count === "number" && !hasNumbers) {
        throw damaged(file.path, "It ends before the numbers of its tensors.");
      }
    }
    return described;
  },
};
