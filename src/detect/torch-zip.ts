import { walkPickle } from "./pickle-walk.js";
import type { FileReader } from "./reader.js";
import { describeExport, exportedProgramIn } from "./torch-export.js";
import { describeTorchPickle } from "./torch-pickle.js";
import { describeTorchScript } from "./torchscript.js";
import { isZip, type ZipArchive, zipOf } from "./zip.js";

/** A pickle names tensors and holds none: models of thousands of layers need some megabytes. */
export const largestTorchPickle = 256 * 1024 * 1024;

/** TorchScript, torch.export and `torch.save` all write zip files: their entries tell them apart. */
export const torchZip: FileReader = {
  name: "PyTorch",
  recognises: isZip,
  async read(file, signal) {
    const zip = await zipOf(file, signal);
    const program = exportedProgramIn(zip);
    if (program !== undefined) return await describeExport(file, zip, program, signal);
    const root = rootIn(zip);
    if (root === undefined) return undefined;
    if (zip.has(`${root}constants.pkl`)) return await describeTorchScript(file, zip, root, signal);
    const contents = await zip.cursor(`${root}data.pkl`, largestTorchPickle, (cursor) =>
      walkPickle(cursor, { signal, time: 5000 }),
    );
    return describeTorchPickle(file.path, contents, "zip");
  },
};

/** The folder that everything is in is named as the file was when it was saved. */
function rootIn(zip: ZipArchive): string | undefined {
  const name = zip.names.find((one) => /^([^/]+\/)?data\.pkl$/.test(one));
  return name?.slice(0, -"data.pkl".length);
}
