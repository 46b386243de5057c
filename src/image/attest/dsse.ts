import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { isSignedBy, type SigningKey, signBytes } from "./key.js";

/** A signed document that carries what was signed. https://github.com/secure-systems-lab/dsse */
export const envelopeType = "application/vnd.dsse.envelope.v1+json";

const envelopeDocument = z.object({
  payloadType: z.string(),
  payload: z.base64(),
  signatures: z.array(z.object({ sig: z.base64() })).max(100),
});

/** Signs a document of a type. The key has no name in it: whoever verifies knows which key to use. */
export function sealEnvelope(key: SigningKey, type: string, payload: Buffer): Buffer {
  const sig = signBytes(key, preAuthentication(type, payload)).toString("base64");
  const envelope = {
    payloadType: type,
    payload: payload.toString("base64"),
    signatures: [{ keyid: "", sig }],
  };
  return Buffer.from(JSON.stringify(envelope));
}

export interface OpenedEnvelope {
  payload: Buffer;
  isSignedBy(key: KeyObject): boolean;
}

/** What an envelope of this type carries; `undefined` when it is none. Nothing is verified before it is asked for. */
export function openEnvelope(body: Buffer, type: string): OpenedEnvelope | undefined {
  const envelope = envelopeDocument.safeParse(parse(body));
  if (!envelope.success || envelope.data.payloadType !== type) return undefined;
  const payload = Buffer.from(envelope.data.payload, "base64");
  const signed = preAuthentication(type, payload);
  return {
    payload,
    isSignedBy: (key) =>
      envelope.data.signatures.some(({ sig }) => isSignedBy(key, signed, Buffer.from(sig, "base64"))),
  };
}

/** What is signed: the type too, and lengths, so that nothing can be taken for something else. */
function preAuthentication(type: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
