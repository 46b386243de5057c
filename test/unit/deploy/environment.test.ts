import { describe, expect, test } from "vitest";
import {
  environmentList,
  mergeEnvironments,
  parseEnvironmentFile,
  parseEnvironmentFlags,
} from "../../../src/deploy/environment.js";

const host = { HOME: "/home/ada", TOKEN: "canary-7" };
const file = (text: string) => environmentList(parseEnvironmentFile(Buffer.from(text), "service.env", host));

describe("--env", () => {
  test("takes values as they are and passes on what this machine has", () => {
    const flags = parseEnvironmentFlags(["A=1", "B=x=y", "EMPTY=", "TOKEN", "NOT_SET"], host);
    expect(environmentList(flags)).toEqual(["A=1", "B=x=y", "EMPTY=", "TOKEN=canary-7"]);
  });

  test("refuses a name that is none, without repeating what may be a secret", () => {
    for (const entry of ["=canary-7", "my canary-7"]) {
      expect(() => parseEnvironmentFlags(["A=1", entry], host)).toThrow(
        expect.objectContaining({ code: "usage", message: expect.not.stringContaining("canary-7") }),
      );
    }
  });

  test("the later of two wins, and flags win over files", () => {
    const merged = mergeEnvironments(
      parseEnvironmentFlags(["A=1", "B=1"], host),
      parseEnvironmentFlags(["A=2"], host),
    );
    expect(environmentList(merged)).toEqual(["A=2", "B=1"]);
  });
});

describe("--env-file", () => {
  test("is read as docker reads it", () => {
    const text = '\uFEFF# a comment\n\nA=1\n  B = 2 \nQUOTED="x y"\nHASH=a#b\r\nHOME\nNOT_SET\nLAST=end';
    expect(() => file(text)).toThrow(/line 4: the line has white space in the variable's name/);
    expect(file(text.replace("B = 2 ", "B= 2 "))).toEqual([
      "A=1",
      "B= 2 ",
      'QUOTED="x y"',
      "HASH=a#b",
      "HOME=/home/ada",
      "LAST=end",
    ]);
  });

  test("names file and line of what is wrong, and never the line itself", () => {
    expect(() => file("A=1\nsome canary-7 text")).toThrow(
      expect.objectContaining({
        code: "usage",
        message: expect.stringMatching(/^service\.env, line 2: (?!.*canary)/),
      }),
    );
    expect(() => parseEnvironmentFile(Buffer.from([0x41, 0x3d, 0xff]), "x.env", host)).toThrow(/not UTF-8/);
  });
});
