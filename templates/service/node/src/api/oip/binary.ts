/** The protocol's binary extension: JSON first, then the bytes of the tensors in the same order. */
import { malformed, refused } from "../../errors.js";
import { numericOf, sizeOf, type Tensor } from "../../schema/tensor.js";

export const lengthHeader = "inference-header-content-length";
/** A tensor that follows begins where numbers of any size may begin. */
const alignment = 64;

/** How long the JSON is, as the header says; 0 for a body that is all tensor. */
export function jsonLength(header: string, body: Buffer): number {
  if (!/^\d{1,18}$/.test(header))
    throw malformed("Inference-Header-Content-Length must be a number of bytes");
  const length = Number(header);
  if (length > body.length) {
    throw malformed(
      "Inference-Header-Content-Length is more than the body has: is the header left from an earlier request?",
    );
  }
  return length;
}

/** The bytes that follow the JSON, given out tensor by tensor. */
export class Tail {
  readonly #data: Buffer;
  #start = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  take(name: string, size: number): Buffer {
    const end = this.#start + size;
    if (end > this.#data.length) throw malformed(`${name}: binary_data_size is more than the body has left`);
    const part = this.#data.subarray(this.#start, end);
    this.#start = end;
    return part;
  }

  end(): void {
    if (this.#start !== this.#data.length) throw malformed("the body has more bytes than its tensors have");
  }
}

/** A tensor with memory of its own. */
export function readTensor(name: string, datatype: string, shape: readonly number[], data: Buffer): Tensor {
  const count = sizeOf(shape);
  const kind = numericOf(datatype);
  if (!kind) return { datatype, shape: [...shape], data: strings(name, data, count) };
  if (data.length !== count * kind.size)
    throw malformed(`${name}: it has not as many bytes as its shape and datatype need`);
  if (datatype === "BOOL" && data.some((byte) => byte > 1)) throw malformed(`${name}: a BOOL must be 0 or 1`);
  const own = new ArrayBuffer(data.length);
  new Uint8Array(own).set(data);
  return { datatype, shape: [...shape], data: new kind.array(own) };
}

export function writeTensor({ datatype, data }: Tensor): Buffer {
  if (datatype !== "BYTES") {
    const { buffer, byteOffset, byteLength } = data as Uint8Array;
    return Buffer.from(buffer, byteOffset, byteLength);
  }
  const parts = (data as string[]).flatMap((text) => {
    const length = Buffer.alloc(4);
    const bytes = Buffer.from(text);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}

/** JSON with spaces after it. */
export function padded(text: string): Buffer {
  const bytes = Buffer.from(text);
  const spaces = (alignment - (bytes.length % alignment)) % alignment;
  return Buffer.concat([bytes, Buffer.alloc(spaces, " ")]);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Each with its length before it. A count that the bytes cannot hold is refused before memory is taken for it. */
function strings(name: string, data: Buffer, count: number): string[] {
  const few = () => malformed(`${name}: its shape asks for more strings than there are`);
  if (count * 4 > data.length) throw few();
  const found: string[] = [];
  let start = 0;
  for (let index = 0; index < count; index += 1) {
    const begin = start + 4;
    if (begin > data.length) throw few();
    start = begin + data.readUInt32LE(start);
    if (start > data.length) throw malformed(`${name}: a string is longer than what is left of the tensor`);
    found.push(textOf(name, data.subarray(begin, start)));
  }
  if (start !== data.length) throw malformed(`${name}: there are more strings than its shape asks for`);
  return found;
}

export function textOf(name: string, bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw refused(name, "must be UTF-8", "string_unicode");
  }
}
