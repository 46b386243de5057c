/**
 * The part of the protocol buffer wire format that BuildKit's session and trace need: varints,
 * length-delimited fields, and skipping what we do not know. Values beyond 2^53 are not expected anywhere
 * (sizes, unix times and small enums) except nanosecond times, which are read and written as bigint.
 */

export interface Field {
  number: number;
  /** Of a varint, or of a fixed 32/64-bit field; 0n for a length-delimited one. */
  integer: bigint;
  /** Of a length-delimited field; empty otherwise. A view, not a copy. */
  bytes: Buffer;
}

const none = Buffer.alloc(0);

/** Goes through the fields of one message. Throws on input that is cut short or not a message. */
export function* fields(message: Buffer): Generator<Field> {
  let at = 0;

  function varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("protobuf: a number is cut short");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Error("protobuf: a number has more than 10 bytes");
  }

  function take(length: number): Buffer {
    if (at + length > message.length) throw new Error("protobuf: a field is cut short");
    at += length;
    return message.subarray(at - length, at);
  }

  while (at < message.length) {
    const key = Number(varint());
    const number = Math.floor(key / 8);
    const wire = key % 8;
    if (number === 0) throw new Error("protobuf: field number 0");
    if (wire === 0) yield { number, integer: varint(), bytes: none };
    else if (wire === 1) yield { number, integer: take(8).readBigUInt64LE(), bytes: none };
    else if (wire === 2) yield { number, integer: 0n, bytes: take(Number(varint())) };
    else if (wire === 5) yield { number, integer: BigInt(take(4).readUInt32LE()), bytes: none };
    else throw new Error(`protobuf: unknown wire type ${wire}`);
  }
}

function varintBytes(value: bigint): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Buffer.from(out);
}

/** Builds one message. Fields with the default value are left out, as proto3 does. */
export class MessageWriter {
  private readonly parts: Buffer[] = [];

  integer(number: number, value: number | bigint): this {
    const wide = BigInt(value);
    if (wide !== 0n) this.parts.push(varintBytes(BigInt(number * 8)), varintBytes(wide));
    return this;
  }

  bytes(number: number, value: Buffer | string): this {
    const data = typeof value === "string" ? Buffer.from(value) : value;
    return data.length === 0 ? this : this.message(number, data);
  }

  /** Like `bytes`, but written even when empty: an embedded message that is present. */
  message(number: number, value: Buffer): this {
    this.parts.push(varintBytes(BigInt(number * 8 + 2)), varintBytes(BigInt(value.length)), value);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.parts);
  }
}
