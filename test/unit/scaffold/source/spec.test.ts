import { expect, test } from "vitest";
import { readSpec } from "../../../../src/scaffold/source/spec.js";

const git = (url: string, more: object = {}) => ({
  kind: "git",
  url,
  protocol: "https",
  ref: undefined,
  path: "",
  ...more,
});

test.each([
  ["sklearn", { kind: "own", name: "sklearn" }],
  ["./mine", { kind: "folder", path: "./mine" }],
  ["..", { kind: "folder", path: ".." }],
  ["/srv/template", { kind: "folder", path: "/srv/template" }],
  ["github:owner/repo", git("https://github.com/owner/repo.git")],
  ["github:owner/repo/a/b#v1.2", git("https://github.com/owner/repo.git", { ref: "v1.2", path: "a/b" })],
  ["https://example.test/t.git", git("https://example.test/t.git")],
  ["git+https://example.test/t#main:a/b", git("https://example.test/t", { ref: "main", path: "a/b" })],
  ["https://example.test/t#:a", git("https://example.test/t", { path: "a" })],
  ["ssh://git@example.test/t.git", git("ssh://git@example.test/t.git", { protocol: "ssh" })],
  ["git@example.test:o/t.git#v1", git("git@example.test:o/t.git", { protocol: "ssh", ref: "v1" })],
  ["npm:create-model", { kind: "npm", name: "create-model", version: undefined }],
  ["npm:@acme/template@1.2.3", { kind: "npm", name: "@acme/template", version: "1.2.3" }],
  ["npm:template@next", { kind: "npm", name: "template", version: "next" }],
] as const)("%s", (text, expected) => {
  expect(readSpec(text)).toEqual(expected);
});

test.each([
  "github:owner",
  "github:-owner/repo",
  "github:owner/..",
  "github:owner/repo/../..",
  "github:owner/repo#--upload-pack=touch",
  "github:owner/repo#a..b",
  "https://example.test/t#a:../b",
  "https://example.test/t#a:/etc",
  "https://user:secret@example.test/t.git",
  "https://token@example.test/t.git",
  "http://example.test/t.git",
  "git://example.test/t.git",
  "ssh://-oProxyCommand=touch/t.git",
  "git@example.test:-x",
  "npm:",
  "npm:-g",
  "npm:../folder",
  "npm:name@file:../x",
  "npm:name@https://example.test/x.tgz",
  "npm:name@--ignore-scripts=false",
  "npm:Upper",
])("%s is refused", (text) => {
  const read = () => readSpec(text);
  if (text === "git@example.test:-x") expect(read()).toEqual({ kind: "own", name: text });
  else expect(read).toThrow(expect.objectContaining({ code: "usage" }));
});

test("credentials in an address are not repeated", () => {
  expect(() => readSpec("https://user:secret@example.test/t.git")).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining("secret") }),
  );
});
