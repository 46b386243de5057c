import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError } from "openai";
import { expect, test } from "vitest";
import { startService } from "../setup/service.js";
import { parrot } from "./models.js";

const key = "a-key-of-the-test-0123456789";

/** Writes and counts; fails after its first piece when it is told to. */
const writer = {
  "model.py": `from collections.abc import Iterator
from pathlib import Path


class Model:
    def load(self, files: Path) -> None:
        pass

    def complete(self, prompt: str, *, stop: list[str] | None = None) -> Iterator[str]:
        yield f"{prompt} and"
        if prompt == "fail":
            raise ValueError("secret of the model")
        yield f" {stop}"

    def embed(self, texts: list[str]) -> list[list[float]]:
        return [[len(text), 0.5] for text in texts]

    def count_tokens(self, text: str) -> int:
        return len(text.split())
`,
};

async function clientOf(files: Readonly<Record<string, string>>, apiKey = key) {
  const { url } = await startService(files, { MODELSHIP_NAME: "own", MODELSHIP_API_KEYS: `test=${key}` });
  return new OpenAI({ baseURL: `${url}v1`, apiKey, maxRetries: 0 });
}

const hello = { model: "own", messages: [{ role: "user" as const, content: "hello" }] };

test("a chat, whole and piece by piece", async () => {
  const client = await clientOf(parrot);
  const { data, request_id } = await client.chat.completions.create(hello).withResponse();
  expect(data.choices[0]).toMatchObject({
    message: { role: "assistant", content: "1: hello!" },
    finish_reason: "stop",
  });
  expect(data.usage).toBeUndefined();
  expect(request_id).toMatch(/^[0-9a-f]+$/);

  const deltas: string[] = [];
  let reason: string | null | undefined;
  for await (const { choices } of await client.chat.completions.create({ ...hello, stream: true })) {
    deltas.push(choices[0]?.delta.content ?? "");
    reason = choices[0]?.finish_reason;
  }
  expect(deltas).toEqual(["", "1: ", "hello", "!", ""]);
  expect(reason).toBe("stop");
});

test("the helper for streams puts an answer together", async () => {
  const client = await clientOf(parrot);
  const stream = client.chat.completions.stream(hello);
  expect(await stream.finalContent()).toBe("1: hello!");
});

test("a completion with its usage, and an error after its first piece", async () => {
  const client = await clientOf(writer);
  const answer = await client.completions.create({ model: "own", prompt: "one two", stop: "." });
  expect(answer.choices[0]?.text).toBe("one two and ['.']");
  expect(answer.usage).toEqual({ prompt_tokens: 2, completion_tokens: 4, total_tokens: 6 });

  const texts: string[] = [];
  const failing = async () => {
    const stream = await client.completions.create({ model: "own", prompt: "fail", stream: true });
    for await (const { choices } of stream) texts.push(choices[0]?.text ?? "");
  };
  const error = await failing().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(APIError);
  expect(error).toMatchObject({ code: "model_error", type: "server_error" });
  expect(texts).toEqual(["fail and"]);
});

test("embeddings, in base64 as the client asks for them and as numbers", async () => {
  const client = await clientOf(writer);
  const asked = { model: "own", input: ["one", "three"] };
  for (const form of [{}, { encoding_format: "float" as const }]) {
    const { data } = await client.embeddings.create({ ...asked, ...form });
    expect(data.flatMap(({ embedding }) => embedding)).toEqual([3, 0.5, 5, 0.5]);
  }
  const { data } = await client.embeddings.create({ ...asked, encoding_format: "base64" });
  expect(Buffer.from(String(data[1]?.embedding), "base64").readFloatLE(0)).toBe(5);
});

test("models are listed, and errors have the client's own types", async () => {
  const client = await clientOf(parrot);
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["own"]);
  await expect(client.models.retrieve("other")).rejects.toBeInstanceOf(NotFoundError);
  await expect(client.embeddings.create({ model: "own", input: "x" })).rejects.toBeInstanceOf(NotFoundError);
  const wrong = client.chat.completions.create({ ...hello, messages: [] });
  await expect(wrong).rejects.toBeInstanceOf(BadRequestError);
  await expect(wrong).rejects.toMatchObject({ param: "messages" });
  const stranger = new OpenAI({ baseURL: client.baseURL, apiKey: "another-key", maxRetries: 0 });
  await expect(stranger.models.list()).rejects.toBeInstanceOf(AuthenticationError);
});
