import { posix } from "node:path";
import { UserError } from "../../errors.js";

const blockBytes = 512;
/** What a plain header holds of a link's target. */
const longestTarget = 100;

/** Where Kubernetes' model servers look for a model. */
export const modelsFolder = "/models";

/** A layer of one link: `/models`, to where the model files are. `undefined` where they are there already. */
export function linkLayer(modelFolder: string): Buffer | undefined {
  const target = posix.relative("/", posix.normalize(modelFolder));
  if (`/${target}` === modelsFolder) return undefined;
  const bytes = Buffer.byteLength(target);
  if (bytes === 0 || bytes > longestTarget || `/${target}`.startsWith(`${modelsFolder}/`)) {
    throw new UserError("model_files", `${modelsFolder} cannot lead to ${modelFolder}.`, {
      why: bytes > longestTarget ? "The path is too long for a link in a layer." : "It is that place itself.",
      hint: "Choose another folder for `model.files`.",
    });
  }
  return Buffer.concat([linkHeader("models", target), Buffer.alloc(2 * blockBytes)]);
}

/** One entry of POSIX ustar, without times and owners: the same bytes everywhere. */
function linkHeader(name: string, target: string): Buffer {
  const block = Buffer.alloc(blockBytes);
  const zero = "0".repeat(7);
  block.write(name, 0, 100, "utf8");
  block.write("0000777", 100, "latin1");
  block.write(zero, 108, "latin1"); // uid
  block.write(zero, 116, "latin1"); // gid
  block.write("0".repeat(11), 124, "latin1"); // size
  block.write("0".repeat(11), 136, "latin1"); // mtime
  block.write(" ".repeat(8), 148, "latin1"); // the checksum counts as blanks in its own sum
  block.write("2", 156, "latin1"); // a symbolic link
  block.write(target, 157, longestTarget, "utf8");
  block.write("ustar\x0000", 257, "latin1");
  block.write(zero, 329, "latin1");
  block.write(zero, 337, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
