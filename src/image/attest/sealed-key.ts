import { createPrivateKey, type KeyObject, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import { UserError } from "../../errors.js";

/** What stands between the PEM lines of a key that cosign made. */
const sealedDocument = z.object({
  kdf: z.object({
    name: z.literal("scrypt"),
    // The three strengths that are in use; others could be meant to use up this machine.
    params: z.object({ N: z.literal([32768, 65536, 131072]), r: z.literal(8), p: z.literal(1) }),
    salt: z.base64(),
  }),
  cipher: z.object({ name: z.literal("nacl/secretbox"), nonce: z.base64() }),
  ciphertext: z.base64(),
});

const keyBytes = 32;
const nonceBytes = 24;
/** scrypt takes 128 * N * r bytes; Node.js allows less unless told. */
const scryptMemory = 192 * 1024 * 1024;

type Scrypt = (password: string, salt: Buffer, length: number, options: object) => Promise<Buffer>;

/** Opens a private key that is sealed with a password as cosign does: scrypt and NaCl's secretbox around PKCS #8. */
export async function openSealedKey(pem: string, password: string, file: string): Promise<KeyObject> {
  const body = /-----BEGIN [^-]+-----([^-]*)-----END/.exec(pem)?.[1] ?? "";
  const document = sealedDocument.safeParse(parse(Buffer.from(body, "base64")));
  const bytes = (text: string) => Buffer.from(text, "base64");
  if (!document.success || bytes(document.data.cipher.nonce).length !== nonceBytes) {
    throw new UserError("usage", `${file} is no key as cosign seals them.`, {
      why: "Its content is damaged, or of a newer form.",
      hint: "Make a new pair with `cosign generate-key-pair`.",
    });
  }
  const { kdf, cipher, ciphertext } = document.data;
  const derive = promisify(scrypt) as Scrypt;
  const key = await derive(password, bytes(kdf.salt), keyBytes, { ...kdf.params, maxmem: scryptMemory });
  const { xsalsa20poly1305 } = await import("@noble/ciphers/salsa");
  try {
    const opened = xsalsa20poly1305(key, bytes(cipher.nonce)).decrypt(bytes(ciphertext));
    return createPrivateKey({ key: Buffer.from(opened), format: "der", type: "pkcs8" });
  } catch {
    throw new UserError("authentication", `The password does not open ${file}.`, {
      hint: "Set COSIGN_PASSWORD to the key's password.",
    });
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
