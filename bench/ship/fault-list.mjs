// The bad days of an upload. The registry keeps to the manner of Docker's own unless another is named: it loses an upload
// whose connection is cut; "lasting" keeps what came, "atomic" drops the piece. A piece is 64 MiB, the blob 130 MiB.
const second = (fault) => [{ method: "PATCH", after: 1, fault }];
const reset = (at) => ({ kind: "reset", at });
const status = (code, more = {}) => ({ kind: "status", status: code, at: 0, ...more });
const commit = (fault) => [{ method: "PUT", fault }];

export const faults = ({ slow }) => [
  { fault: "none", planned: [] },
  ...[0.1, 0.5, 0.9].map((at) => ({
    fault: `reset at ${at * 100} % of the 2nd piece`,
    planned: second(reset(at)),
  })),
  ...["lasting", "atomic"].map((manner) => ({
    fault: "reset at 50 % of the 2nd piece",
    manner,
    planned: second(reset(0.5)),
  })),
  {
    fault: "reset three times",
    manner: "lasting",
    planned: [0.1, 0.5, 0.9].flatMap((at) => second(reset(at))),
  },
  { fault: "401 in the middle of a body", manner: "lasting", planned: second(status(401, { at: 0.5 })) },
  { fault: "401 in the middle of a body", planned: second(status(401, { at: 0.5 })) },
  { fault: "token runs out between pieces", planned: second({ kind: "expire" }) },
  { fault: "token runs out before the commit", planned: commit({ kind: "expire" }) },
  {
    fault: "404 to a commit that was done",
    planned: commit({ kind: "done-but", status: 404, code: "BLOB_UPLOAD_UNKNOWN" }),
  },
  { fault: "500 to a commit that was done", planned: commit({ kind: "done-but", status: 500 }) },
  { fault: "answer to the commit lost", planned: commit({ kind: "done-but", status: 0 }) },
  { fault: "answer to a piece lost", manner: "lasting", planned: second({ kind: "done-but", status: 0 }) },
  { fault: "answer to a piece lost", planned: second({ kind: "done-but", status: 0 }) },
  { fault: `commit takes ${slow} s`, planned: commit({ kind: "slow", milliseconds: slow * 1000 }) },
  { fault: "416 to pieces over 4 MiB", manner: "ghcr", planned: [] },
  { fault: "stale Range", manner: "ecr", planned: [] },
  { fault: "no pieces taken", manner: "google", planned: [] },
  {
    fault: "413 to bodies over 16 MiB",
    manner: { cut: "fatal", taken: 202, largestBody: 16 * 1024 * 1024 },
    planned: [],
  },
  { fault: "413 to everything", planned: [{ method: "PATCH", times: 99, fault: status(413) }] },
  { fault: "429, Retry-After 2 s", planned: second(status(429, { headers: { "retry-after": "2" } })) },
  { fault: "429, Retry-After 1 h", planned: second(status(429, { headers: { "retry-after": "3600" } })) },
  { fault: "500 twice", planned: [{ method: "PATCH", times: 2, fault: status(500) }] },
  { fault: "500 for good", planned: [{ method: "PATCH", times: 99, fault: status(500) }] },
  { fault: "redirect of a piece to another host", planned: second({ kind: "redirect", status: 307 }) },
  { fault: "redirect of the commit to another host", planned: commit({ kind: "redirect", status: 308 }) },
  { fault: "registry names a wrong digest", planned: commit({ kind: "wrong-digest" }) },
  {
    fault: "one byte changed on the way, each time",
    planned: [{ method: "PATCH", times: 99, fault: { kind: "damage" } }],
  },
  { fault: "registry stops reading", manner: "lasting", planned: second({ kind: "hang", at: 0.5 }) },
];
