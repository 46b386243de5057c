import type { PlannedFault } from "./faults.js";
import { piece } from "./for-test.js";
import type { MannerName } from "./manner.js";

const megabyte = 1024 * 1024;

/** A bad day that a push gets over. */
export interface Mended {
  fault: string;
  planned: readonly PlannedFault[];
  manner?: MannerName;
  /** Bytes sent twice, at most; of a blob of three pieces. */
  twice: number;
  /** What the user hears on the way. */
  says?: RegExp;
}

/** A bad day that a push does not get over. */
export interface Told {
  fault: string;
  planned: readonly PlannedFault[];
  code: string;
  says: RegExp;
}

/** A cut in the middle of the second piece: Docker's registry loses the upload, others go on. */
const cutInSecond: PlannedFault[] = [{ method: "PATCH", after: 1, fault: { kind: "reset", at: 0.5 } }];

export const mended: readonly Mended[] = [
  {
    fault: "the connection is cut, and the upload with it",
    planned: cutInSecond,
    twice: 1.5 * piece,
    says: /Retrying in \d+ s: connection reset/,
  },
  {
    fault: "the connection is cut; what came is kept",
    planned: cutInSecond,
    manner: "lasting",
    twice: megabyte,
    says: /connection reset/,
  },
  {
    fault: "the connection is cut; the piece is dropped",
    planned: cutInSecond,
    manner: "atomic",
    twice: piece / 2,
    says: /connection reset/,
  },
  {
    fault: "the connection is cut three times",
    planned: [0.1, 0.5, 0.9].map((at) => ({ method: "PATCH", after: 1, fault: { kind: "reset", at } })),
    manner: "lasting",
    twice: 3 * megabyte,
  },
  {
    fault: "the login runs out in the middle",
    planned: [{ method: "PATCH", after: 1, fault: { kind: "expire" } }],
    twice: 0,
  },
  {
    fault: "the login is refused in the middle of a body",
    planned: [{ method: "PATCH", after: 1, fault: { kind: "status", status: 401, at: 0.5 } }],
    manner: "lasting",
    twice: megabyte,
  },
  {
    fault: "the login runs out before the commit",
    planned: [{ method: "PUT", fault: { kind: "expire" } }],
    twice: 0,
  },
  {
    fault: "the commit says 404 and is done",
    planned: [{ method: "PUT", fault: { kind: "done-but", status: 404, code: "BLOB_UPLOAD_UNKNOWN" } }],
    twice: 0,
  },
  {
    fault: "the commit says 500 and is done",
    planned: [{ method: "PUT", fault: { kind: "done-but", status: 500 } }],
    twice: 0,
  },
  {
    fault: "the commit's answer is lost",
    planned: [{ method: "PUT", fault: { kind: "done-but", status: 0 } }],
    twice: 0,
  },
  {
    fault: "the commit fails once",
    planned: [{ method: "PUT", fault: { kind: "status", status: 503, at: 0 } }],
    twice: 0,
    says: /HTTP 503/,
  },
  {
    fault: "the commit is slow",
    planned: [{ method: "PUT", fault: { kind: "slow", milliseconds: 1_500 } }],
    twice: 0,
  },
  {
    fault: "a piece's answer is lost",
    planned: [{ method: "PATCH", after: 1, fault: { kind: "done-but", status: 0 } }],
    manner: "lasting",
    twice: 0,
  },
  {
    fault: "it is asked to wait",
    planned: [
      {
        method: "PATCH",
        after: 1,
        fault: { kind: "status", status: 429, at: 0, headers: { "retry-after": "1" } },
      },
    ],
    twice: 0,
    says: /Retrying in 1 s: HTTP 429/,
  },
  {
    fault: "the registry fails for a moment",
    planned: [{ method: "PATCH", times: 3, fault: { kind: "status", status: 500, at: 0 } }],
    twice: 0,
    says: /HTTP 500/,
  },
  {
    fault: "opening the upload fails for a moment",
    planned: [{ method: "POST", times: 2, fault: { kind: "status", status: 503 } }],
    twice: 0,
  },
  {
    fault: "the registry stops reading",
    planned: [{ method: "PATCH", after: 1, fault: { kind: "hang", at: 0.5 } }],
    manner: "lasting",
    twice: megabyte,
    says: /no answer/,
  },
  {
    fault: "a piece is sent on to another host",
    planned: [{ method: "PATCH", after: 1, fault: { kind: "redirect", status: 307 } }],
    twice: 0,
  },
  {
    fault: "the commit is sent on to another host",
    planned: [{ method: "PUT", fault: { kind: "redirect", status: 308 } }],
    twice: 0,
  },
  {
    fault: "the opening is sent on to another host",
    planned: [{ method: "POST", fault: { kind: "redirect", status: 307 } }],
    twice: 0,
  },
  {
    fault: "a status fails as well",
    planned: [...cutInSecond, { method: "GET", path: /uploads/, fault: { kind: "status", status: 502 } }],
    manner: "lasting",
    twice: megabyte,
    says: /HTTP 502/,
  },
  { fault: "it takes only 4 MiB a piece", planned: [], manner: "ghcr", twice: 0 },
  { fault: "it loses count of the pieces", planned: [], manner: "ecr", twice: 2 * piece },
  { fault: "it takes no pieces", planned: [], manner: "google", twice: 0 },
];

export const told: readonly Told[] = [
  {
    fault: "the registry changes the bytes",
    planned: [{ method: "PATCH", times: 9, fault: { kind: "damage" } }],
    code: "registry_failed",
    says: /other bytes of model\/weights\.bin/,
  },
  {
    fault: "the registry names another digest",
    planned: [{ method: "PUT", fault: { kind: "wrong-digest" } }],
    code: "registry_failed",
    says: /keeps other bytes/,
  },
  {
    fault: "the connection is cut again and again",
    planned: [{ method: "PATCH", times: 99, fault: { kind: "reset", at: 0.1 } }],
    code: "registry_failed",
    says: /broke off again and again/,
  },
  {
    fault: "the registry fails for good",
    planned: [{ method: "PATCH", times: 99, fault: { kind: "status", status: 500, at: 0 } }],
    code: "registry_failed",
    says: /HTTP 500/,
  },
  {
    fault: "it is asked to wait for an hour",
    planned: [
      {
        method: "PATCH",
        fault: { kind: "status", status: 429, at: 0, headers: { "retry-after": "3600" } },
      },
    ],
    code: "registry_failed",
    says: /limits how often.*3600 seconds/s,
  },
  {
    fault: "the login is refused again and again",
    planned: [{ method: "PATCH", times: 99, fault: { kind: "status", status: 401, at: 0 } }],
    code: "denied",
    says: /does not allow/,
  },
  {
    fault: "the account may not write",
    planned: [{ method: "POST", fault: { kind: "status", status: 403, code: "DENIED" } }],
    code: "denied",
    says: /does not allow/,
  },
  {
    fault: "nothing that large is taken",
    planned: [{ method: "PATCH", times: 99, fault: { kind: "status", status: 413, at: 0 } }],
    code: "registry_failed",
    says: /too large/,
  },
];
