import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { messageOf, UserError } from "../../errors.js";
import { digestOf } from "../../registry/manifest.js";
import { openSealedKey } from "./sealed-key.js";

/** A key that vouches for images. Only its public half is ever told to anybody. */
export interface SigningKey {
  private: KeyObject;
  public: KeyObject;
}

export interface KeyOptions {
  /** COSIGN_PASSWORD opens a key that is encrypted. */
  env: NodeJS.ProcessEnv;
  /** Asks a person, where one is there. */
  askPassword?: (() => Promise<string>) | undefined;
}

const largestKeyFile = 64 * 1024;
/** What cosign hashes with, by curve. */
const curveHash: Readonly<Record<string, string>> = {
  prime256v1: "sha256",
  secp384r1: "sha384",
  secp521r1: "sha512",
};

/** Reads a private key: PEM as openssl writes it, or as `cosign generate-key-pair` does. */
export async function readSigningKey(file: string, options: KeyOptions): Promise<SigningKey> {
  const text = await readKeyFile(file);
  const type = pemType(text);
  if (type === "PUBLIC KEY") {
    throw new UserError("usage", `${file} is a public key.`, {
      why: "Signing needs the private one.",
      hint: "Name the private key; verifying takes this one.",
    });
  }
  const sealed = /^ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY$/.test(type);
  const password =
    type.startsWith("ENCRYPTED") || /^Proc-Type: 4,ENCRYPTED/m.test(text)
      ? await passwordFor(file, options)
      : undefined;
  const key = sealed
    ? await openSealedKey(text, password ?? "", file)
    : parsed(file, () =>
        createPrivateKey({ key: text, ...(password !== undefined && { passphrase: password }) }),
      );
  const usable =
    key.asymmetricKeyType === "ec" ? curveOf(key) === "prime256v1" : key.asymmetricKeyType === "rsa";
  if (!usable) {
    throw new UserError("usage", `${file} is a key of a kind that is not signed with here.`, {
      why: `It is ${key.asymmetricKeyType ?? "unknown"} ${curveOf(key) ?? ""}`.trimEnd().concat("."),
      hint: "Use an ECDSA P-256 key, as `cosign generate-key-pair` makes it, or an RSA key.",
    });
  }
  return { private: key, public: createPublicKey(key) };
}

/** Reads a public key, or takes the public half of a private one that is not encrypted. */
export async function readVerifyingKey(file: string): Promise<KeyObject> {
  const text = await readKeyFile(file);
  if (pemType(text).startsWith("ENCRYPTED")) {
    throw new UserError("usage", `${file} is an encrypted private key.`, {
      why: "Verifying needs only the public one.",
      hint: "Name the public key, such as cosign.pub.",
    });
  }
  const key = parsed(file, () => createPublicKey(text));
  if (!["ec", "rsa", "ed25519"].includes(key.asymmetricKeyType ?? "") || (curveOf(key) && !hashOf(key))) {
    throw new UserError("usage", `${file} is a key of a kind that is not known here.`, {
      why: `It is ${key.asymmetricKeyType ?? "unknown"}.`,
      hint: "Use an ECDSA, RSA or Ed25519 key.",
    });
  }
  return key;
}

export function signBytes(key: SigningKey, bytes: Buffer): Buffer {
  return sign(hashOf(key.private), bytes, key.private);
}

/** Whether these bytes were signed with the private half. A signature that is no signature is a wrong one. */
export function isSignedBy(key: KeyObject, bytes: Buffer, signature: Buffer): boolean {
  try {
    return verify(hashOf(key), bytes, key, signature);
  } catch {
    return false;
  }
}

/** Names a public key: `sha256:<hex>` of its DER form. */
export function fingerprint(key: KeyObject): string {
  return digestOf(key.export({ type: "spki", format: "der" }));
}

/** Ed25519 hashes by itself. */
function hashOf(key: KeyObject): string | null | undefined {
  if (key.asymmetricKeyType === "ed25519") return null;
  return key.asymmetricKeyType === "rsa" ? "sha256" : curveHash[curveOf(key) ?? ""];
}

function curveOf(key: KeyObject): string | undefined {
  return key.asymmetricKeyDetails?.namedCurve;
}

async function readKeyFile(file: string): Promise<string> {
  try {
    const text = await readFile(file);
    if (text.length <= largestKeyFile) return text.toString("utf8");
  } catch (error) {
    throw new UserError("usage", `The key ${file} cannot be read.`, { why: messageOf(error), cause: error });
  }
  throw notAKey(file);
}

/** What the file says that it is; never more of it than that goes into an error. */
function pemType(text: string): string {
  return /^-----BEGIN ([A-Z0-9 ]{1,60})-----/m.exec(text)?.[1] ?? "";
}

/** The texts of OpenSSL's errors say nothing of a key's content, and little to people. */
function parsed(file: string, parse: () => KeyObject): KeyObject {
  try {
    return parse();
  } catch (error) {
    if (/decrypt|pass/i.test(messageOf(error))) {
      throw new UserError("authentication", `The password does not open ${file}.`, {
        hint: "Set COSIGN_PASSWORD to the key's password.",
      });
    }
    throw notAKey(file);
  }
}

function notAKey(file: string): UserError {
  return new UserError("usage", `${file} holds no key.`, {
    why: `A key file is PEM: it has a line such as "-----BEGIN PRIVATE KEY-----".`,
    hint: "Make a pair with `cosign generate-key-pair`, or with `openssl ecparam -name prime256v1 -genkey`.",
  });
}

async function passwordFor(file: string, { env, askPassword }: KeyOptions): Promise<string> {
  if (env.COSIGN_PASSWORD !== undefined) return env.COSIGN_PASSWORD;
  if (askPassword) return askPassword();
  throw new UserError("authentication", `The key ${file} is encrypted.`, {
    why: "There is no terminal to ask for its password.",
    hint: "Set COSIGN_PASSWORD.",
  });
}
