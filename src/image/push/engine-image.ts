import { connectEngine } from "../../docker/connect.js";
import { inspectImage } from "../../docker/images.js";
import { UserError } from "../../errors.js";
import { bytesBlob } from "../../registry/file-blob.js";
import { graftConfig } from "../graft/config.js";
import { graftManifest } from "../graft/manifest.js";
import { Label } from "../label-names.js";
import type { BuildOptions } from "../prepare.js";
import { sendCode } from "./code.js";
import type { Shipment } from "./shipment.js";

/** An image of the engine, as it is. */
export async function engineImageShipment(name: string, options: BuildOptions): Promise<Shipment> {
  const engine = await connectEngine(options);
  const image = await inspectImage(engine, name);
  if (!image) {
    throw new UserError("image_not_found", `The engine has no image ${name}.`, {
      hint: "`modelship build` makes the project's image; `docker images` lists what is there.",
    });
  }
  const version = image.labels[Label.version];
  if (version === undefined) {
    throw new UserError("image_not_ours", `${name} was not built by modelship.`, {
      why: `It has no ${Label.version} label.`,
      hint: "Push it with the tool that built it.",
    });
  }
  return {
    version,
    repository: null,
    async ship(target) {
      const code = await sendCode(target, engine, image, options);
      const config = graftConfig(code.config, [], {});
      const manifest = graftManifest(code.manifest, config, []);
      await target.send(bytesBlob(config, { title: "Configuration", mediaType: manifest.config.mediaType }));
      return { manifest, faces: [], documents: [] };
    },
  };
}
