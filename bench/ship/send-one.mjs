// One blob, sent by the library of dist/, with its progress on stdout: for faults.mjs, which may kill it.
import { RegistryClient } from "../../dist/registry/client.js";
import { fileBlob } from "../../dist/registry/file-blob.js";
import { sendBlob } from "../../dist/registry/upload/send-blob.js";

const [host, repository, path, digest, size] = process.argv.slice(2);
const { username, password } = JSON.parse(process.env.LOGIN);
const client = new RegistryClient(host, {
  credentials: async () => ({ kind: "basic", username, password }),
  env: process.env,
  timeout: 5_000, // a registry that says nothing is given up sooner than in earnest
});
const blob = fileBlob(path, {
  title: "weights",
  mediaType: "application/vnd.oci.image.layer.v1.tar",
  size: Number(size),
  digest,
});
const onProgress = ({ sent }) => process.stdout.write(`sent ${sent}\n`);
try {
  await sendBlob(client, blob, { repository, onProgress });
} catch (error) {
  const text = [error.message, error.why].filter(Boolean).join(" ");
  process.stdout.write(`failed ${text.replaceAll(host, "the registry").replace(/\s+/g, " ")}\n`);
  process.exitCode = 1;
} finally {
  client.close();
}
