import { describe, expect, it } from "vitest";
import { UserError } from "../../../src/errors.js";
import {
  authKey,
  formatReference,
  isLoopback,
  parseReference,
  parseRegistry,
  registryHost,
  shortReference,
} from "../../../src/registry/reference.js";

const sha = `sha256:${"a1".repeat(32)}`;

function refusal(text: string): UserError {
  try {
    parseReference(text);
  } catch (error) {
    if (error instanceof UserError) return error;
  }
  throw new Error(`${text} was taken`);
}

describe("parseReference", () => {
  it.each([
    ["digits", { registry: "docker.io", repository: "library/digits" }],
    ["digits:1.2.0", { registry: "docker.io", repository: "library/digits", tag: "1.2.0" }],
    ["acme/digits", { registry: "docker.io", repository: "acme/digits" }],
    ["docker.io/digits", { registry: "docker.io", repository: "library/digits" }],
    ["index.docker.io/acme/digits", { registry: "docker.io", repository: "acme/digits" }],
    ["ghcr.io/acme/team/digits:v1", { registry: "ghcr.io", repository: "acme/team/digits", tag: "v1" }],
    ["localhost/digits", { registry: "localhost", repository: "digits" }],
    ["localhost:5000/digits", { registry: "localhost:5000", repository: "digits" }],
    ["GHCR.io/acme/digits", { registry: "ghcr.io", repository: "acme/digits" }],
    ["[::1]:5000/digits:1", { registry: "[::1]:5000", repository: "digits", tag: "1" }],
    [`r.example/a/b@${sha}`, { registry: "r.example", repository: "a/b", digest: sha }],
    [`r.example/a/b:t@${sha}`, { registry: "r.example", repository: "a/b", tag: "t", digest: sha }],
    ["a__b/c-d---e.f_g", { registry: "docker.io", repository: "a__b/c-d---e.f_g" }],
  ])("reads %s", (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it.each([
    ["Acme/Digits:V1", /"A" at its start is an upper-case letter/, /"acme\/digits:V1"/],
    ["ghcr.io/acme/Digits", /"D" at character 14/, /"ghcr.io\/acme\/digits"/],
    ["acme/my digits", /a space at character 8/, undefined],
    [" digits", /a space at its start/, /"digits"/],
    ["https://ghcr.io/acme/digits/", /begins with "https:\/\/"/, /"ghcr.io\/acme\/digits"/],
    ["acme//digits", /an empty part at character 6/, /"acme\/digits"/],
    ["acme/digits/", /an empty part at its end/, /"acme\/digits"/],
    ["acme/digits!", /"!" at its end is not allowed/, undefined],
    ["acme/-digits", /"-" at character 6 does not stand between/, undefined],
    ["acme/a..b", /"\.\." at character 7/, undefined],
    ["acme/a___b", /"___" at character 7/, undefined],
    ["acme/digits:", /tag behind the colon is missing/, undefined],
    ["acme/digits:a+b", /"\+" at character 14 is not allowed in a tag/, /"acme\/digits:a-b"/],
    ["acme/digits:.a", /not allowed at the start of a tag/, /"acme\/digits:a"/],
    [`acme/digits:${"a".repeat(129)}`, /129 characters; 128/, undefined],
    ["ghcr.io:99999/a", /"99999" is not a port/, undefined],
    ["gh_cr.io/a", /"_" is not allowed in one/, undefined],
    ["ghcr.io/", /name of the repository is missing/, undefined],
    ["", /empty/, undefined],
    ["a@sha256:abc", /3 digits; sha256 has 64/, /as a whole/],
    ["a@md5:abc", /not a digest/, undefined],
    [`a@sha256:${"A".repeat(64)}`, /"A" in its digest/, undefined],
    ["b".repeat(64), /id of an image/, undefined],
    [`${"a/".repeat(130)}a`, /261 characters/, undefined],
  ])("says what is wrong with %j", (text, why, hint) => {
    const error = refusal(text);
    expect(error.code).toBe("reference");
    expect(error.exitCode).toBe(2);
    expect(error.why).toMatch(why);
    if (hint) expect(error.hint).toMatch(hint);
  });

  it("writes names back, in full and as Docker prints them", () => {
    expect(formatReference(parseReference("digits:1"))).toBe("docker.io/library/digits:1");
    expect(shortReference(parseReference("docker.io/library/digits:1"))).toBe("digits:1");
    expect(shortReference(parseReference("acme/digits"))).toBe("acme/digits");
    expect(shortReference(parseReference(`ghcr.io/a/b:1@${sha}`))).toBe(`ghcr.io/a/b:1@${sha}`);
  });
});

describe("registries", () => {
  it("knows Docker Hub's other names", () => {
    const reference = parseReference("acme/digits");
    expect(registryHost(reference)).toBe("registry-1.docker.io");
    expect(authKey(reference)).toBe("https://index.docker.io/v1/");
    expect(authKey(parseReference("ghcr.io/a/b"))).toBe("ghcr.io");
  });

  it.each([
    ["https://index.docker.io/v1/", "docker.io"],
    ["docker.io", "docker.io"],
    ["https://ghcr.io/", "ghcr.io"],
    ["LOCALHOST:5000", "localhost:5000"],
  ])("reads %s as a registry", (text, expected) => {
    expect(parseRegistry(text)).toBe(expected);
  });

  it.each(["", "a b", "ghcr.io:x", "https://user:canary@ghcr.io"])("refuses %j as a registry", (text) => {
    expect(() => parseRegistry(text)).toThrow(UserError);
    expect(() => parseRegistry(text)).not.toThrow(/canary/);
  });

  it.each([
    ["localhost", true],
    ["localhost:5000", true],
    ["k3d.localhost:5000", true],
    ["127.0.0.1:5000", true],
    ["127.8.9.1", true],
    ["[::1]:5000", true],
    ["::1", true],
    ["127.0.0.1.example.com", false],
    ["localhost.example.com", false],
    ["10.0.0.1:5000", false],
    ["ghcr.io", false],
    ["[fe80::1]", false],
  ])("isLoopback(%s) is %s", (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});
