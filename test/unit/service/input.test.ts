import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readInput } from "../../../src/service/input.js";

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "modelship-input-"));
});
afterAll(() => rm(cwd, { recursive: true }));

const read = (text: string, stdin = Readable.from([])) => readInput({ text, cwd, stdin });
const input = (change: object) => expect.objectContaining({ code: "input", exitCode: 2, ...change });

describe("-i", () => {
  test("takes JSON, a file, or stdin", async () => {
    await writeFile(join(cwd, "r.json"), '\uFEFF{"rows": [1]}\n');
    expect((await read('{"rows": [1]}')).body.toString()).toBe('{"rows": [1]}');
    expect(await read("@r.json")).toEqual({ body: Buffer.from('{"rows": [1]}\n'), length: 14 });
    for (const dash of ["-", "@-"]) {
      const stdin = Readable.from([Buffer.from('{"ro'), Buffer.from('ws": [1]}')]);
      expect((await read(dash, stdin)).body.toString()).toBe('{"rows": [1]}');
    }
  });

  test("says where the input is no JSON", async () => {
    await writeFile(join(cwd, "bad.json"), '{\n  "rows": [1,]\n}');
    await expect(read("@bad.json")).rejects.toEqual(
      input({ message: expect.stringContaining("bad.json, line 2, column 14") }),
    );
    await expect(read("-", Readable.from([Buffer.from("  \n")]))).rejects.toEqual(
      input({ message: expect.stringContaining("empty") }),
    );
  });

  test("guesses that a file was meant", async () => {
    await expect(read("examples/request.json")).rejects.toEqual(
      input({ hint: "To send a file, write -i @examples/request.json" }),
    );
  });

  test("a file that is not there, or a folder", async () => {
    await mkdir(join(cwd, "folder"));
    await expect(read("@missing.json")).rejects.toEqual(input({ why: "There is no such file." }));
    await expect(read("@folder")).rejects.toEqual(input({ message: "folder is a folder." }));
  });

  test("streams what is too large to hold and check, every byte of it", async () => {
    const big = Buffer.alloc(40 * 2 ** 20, "0123456789abcdef");
    await writeFile(join(cwd, "big.json"), big);
    const { body, length } = await read("@big.json");
    expect(Buffer.isBuffer(body)).toBe(false);
    expect(length).toBe(big.length);
    const chunks: Buffer[] = [];
    for await (const chunk of body as Readable) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(big)).toBe(true);
  });
});
