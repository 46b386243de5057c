import { createHash, randomBytes } from "node:crypto";
import { appendFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { BlobReading } from "../../../src/registry/blob.js";
import { bytesBlob, fileBlob } from "../../../src/registry/file-blob.js";
import { digestOf } from "../../../src/registry/manifest.js";
import { folderWith } from "../../setup/folder.js";

async function hashed(reading: BlobReading): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of reading) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

async function blobOf(bytes: Buffer) {
  const path = join(await folderWith({ blob: bytes }), "blob");
  const facts = { title: "a layer", mediaType: "application/x", size: bytes.length, digest: digestOf(bytes) };
  return { path, blob: fileBlob(path, facts) };
}

it("reads a file of several chunks, whole and from anywhere", async () => {
  const bytes = randomBytes(2_500_001);
  const { blob } = await blobOf(bytes);
  expect(await hashed(blob.open())).toBe(digestOf(bytes));
  expect(await blob.open().digest).toBe(digestOf(bytes));
  for (const from of [1, 1024 * 1024, bytes.length - 1, bytes.length])
    expect(await hashed(blob.open(from))).toBe(digestOf(bytes.subarray(from)));
});

it("refuses a file that has grown, was cut, or has gone", async () => {
  const { blob, path } = await blobOf(randomBytes(1000));
  await appendFile(path, "more");
  await expect(hashed(blob.open())).rejects.toMatchObject({ code: "file_failed" });
  await truncate(path, 999);
  await expect(hashed(blob.open())).rejects.toMatchObject({ code: "file_failed" });
  const gone = fileBlob(`${path}-gone`, {
    title: "x",
    mediaType: "x",
    size: 1,
    digest: digestOf(Buffer.alloc(1)),
  });
  await expect(hashed(gone.open())).rejects.toMatchObject({ code: "file_failed" });
});

it("takes bytes in memory for a blob", async () => {
  const bytes = Buffer.from('{"a":1}');
  const blob = bytesBlob(bytes, { title: "config", mediaType: "application/json" });
  expect(blob).toMatchObject({ size: 7, digest: digestOf(bytes), title: "config" });
  expect(await hashed(blob.open())).toBe(digestOf(bytes));
  expect(await hashed(blob.open(3))).toBe(digestOf(bytes.subarray(3)));
  expect(await hashed(bytesBlob(Buffer.alloc(0), { title: "", mediaType: "" }).open())).toBe(
    digestOf(Buffer.alloc(0)),
  );
});
