import { createHash, randomBytes, randomInt } from "node:crypto";

const letters = "abcdefghijklmnopqrstuvwxyz0123456789";

export interface NewKey {
  id: string;
  /** The key itself, for its owner alone. */
  key: string;
  /** What the service knows it by. */
  hash: string;
}

/** A key of 256 random bits. The id is in it, so that whoever finds a key knows which one to revoke. */
export function makeKey(): NewKey {
  const id = Array.from({ length: 10 }, () => letters[randomInt(letters.length)]).join("");
  const key = `ms_${id}_${randomBytes(32).toString("base64url")}`;
  return { id, key, hash: `sha256:${createHash("sha256").update(key).digest("hex")}` };
}
