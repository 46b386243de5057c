import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** ca.pem, cert.pem and key.pem of a folder, as far as they are there. */
export async function readTlsFiles(directory: string): Promise<{ ca?: Buffer; cert?: Buffer; key?: Buffer }> {
  const read = (name: string) => readFile(join(directory, name)).catch(() => undefined);
  const [ca, cert, key] = await Promise.all([read("ca.pem"), read("cert.pem"), read("key.pem")]);
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}
