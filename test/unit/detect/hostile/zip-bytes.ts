import { deflateRawSync, crc32 as zlibCrc32 } from "node:zlib";

export interface ZipPart {
  name: string;
  content: Buffer;
  deflate?: boolean;
  /** Claims of the directory, where they differ from the truth. */
  size?: number;
  compressedSize?: number;
  offset?: number;
  method?: number;
  flags?: number;
}

/** A zip file of these entries. Claims can be lies, as a reader has to bear them. */
export function zipBytes(parts: readonly ZipPart[], claims: { count?: number; start?: number } = {}): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const part of parts) {
    const name = Buffer.from(part.name);
    const data = part.deflate ? deflateRawSync(part.content) : part.content;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(part.flags ?? 0x800, 2);
    fields.writeUInt16LE(part.method ?? (part.deflate ? 8 : 0), 4);
    fields.writeUInt32LE(checksum(part.content), 10);
    fields.writeUInt32LE((part.compressedSize ?? data.length) >>> 0, 14);
    fields.writeUInt32LE((part.size ?? part.content.length) >>> 0, 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), fields, name, data]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((part.offset ?? offset) >>> 0, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00", "latin1"), fields, tail, name]));
    bodies.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(claims.count ?? parts.length, 8);
  end.writeUInt16LE(claims.count ?? parts.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(claims.start ?? offset, 16);
  return Buffer.concat([...bodies, entries, end]);
}

function checksum(content: Buffer): number {
  if (typeof zlibCrc32 === "function") return zlibCrc32(content);
  let value = 0xffffffff;
  for (const byte of content) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return (value ^ 0xffffffff) >>> 0;
}
