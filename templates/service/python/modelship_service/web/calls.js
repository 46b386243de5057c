// The same call from a shell or a program. The key is named as an environment variable and never written out.
const KEY = "MODELSHIP_API_KEY";
const MAX_BODY = 6_000;

export const LANGUAGES = [
  ["curl", "curl"],
  ["python", "Python"],
  ["typescript", "TypeScript"],
];

/** `call`: url, method, body (JSON text or undefined), keyed, streams. */
export function callIn(language, call) {
  const file = call.body !== undefined && call.body.length > MAX_BODY;
  return { curl, python, typescript }[language]({ ...call, file });
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl({ url, method = "POST", body, keyed, streams, file }) {
  const parts = [
    `curl ${streams ? "-sSN" : "-sS"}${method === "GET" || body !== undefined ? "" : ` -X ${method}`} ${quoted(url)}`,
  ];
  if (keyed) parts.push(`-H "authorization: Bearer $${KEY}"`);
  if (body !== undefined)
    parts.push(
      `-H 'content-type: application/json'`,
      file ? "--data-binary @request.json" : `-d ${quoted(body)}`,
    );
  return parts.join(" \\\n  ");
}

function python({ url, body, keyed, streams, file }) {
  const lines = [
    ...(keyed ? ["import os"] : []),
    ...(file || streams ? ["import json"] : []),
    "import requests",
    "",
  ];
  const payload = file ? 'json.load(open("request.json"))' : pythonLiteral(JSON.parse(body));
  lines.push("response = requests.post(", `    ${JSON.stringify(url)},`, `    json=${payload},`);
  if (keyed) lines.push(`    headers={"authorization": f"Bearer {os.environ['${KEY}']}"},`);
  lines.push(streams ? "    stream=True," : "    timeout=60,", ")", "response.raise_for_status()");
  if (streams)
    lines.push(
      "for line in response.iter_lines(decode_unicode=True):",
      '    if line.startswith("data: "):',
      "        print(json.loads(line[6:]))",
    );
  else lines.push("print(response.json())");
  return lines.join("\n");
}

function pythonLiteral(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${pythonLiteral(item)}`)
      .join(", ")}}`;
  return JSON.stringify(value);
}

function typescript({ url, body, keyed, streams, file }) {
  const lines = file ? ['import { readFile } from "node:fs/promises";', ""] : [];
  lines.push(
    `const response = await fetch(${JSON.stringify(url)}, {`,
    '  method: "POST",',
    "  headers: {",
    '    "content-type": "application/json",',
  );
  if (keyed) lines.push(`    authorization: \`Bearer \${process.env.${KEY}}\`,`);
  lines.push(
    "  },",
    `  body: ${file ? 'await readFile("request.json")' : `JSON.stringify(${body})`},`,
    "});",
  );
  lines.push("if (!response.ok) throw new Error(await response.text());");
  if (streams)
    lines.push(
      "for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {",
      "  console.log(chunk);",
      "}",
    );
  else lines.push("console.log(await response.json());");
  return lines.join("\n");
}

/** A conversation, as the clients of OpenAI's API have it. */
export function chatIn(language, { base, model, keyed }) {
  const [url, name] = [JSON.stringify(`${base}v1`), JSON.stringify(model)];
  const messages = { model, messages: [{ role: "user", content: "Hello" }], stream: true };
  if (language === "curl")
    return curl({ url: `${base}v1/chat/completions`, body: JSON.stringify(messages), keyed, streams: true });
  if (language === "python")
    return [
      ...(keyed ? ["import os"] : []),
      "from openai import OpenAI",
      "",
      `client = OpenAI(base_url=${url}, api_key=${keyed ? `os.environ["${KEY}"]` : '"none"'})`,
      "stream = client.chat.completions.create(",
      `    model=${name}, messages=[{"role": "user", "content": "Hello"}], stream=True`,
      ")",
      "for chunk in stream:",
      '    print(chunk.choices[0].delta.content or "", end="")',
    ].join("\n");
  return [
    'import OpenAI from "openai";',
    "",
    `const client = new OpenAI({ baseURL: ${url}, apiKey: ${keyed ? `process.env.${KEY}` : '"none"'} });`,
    "const stream = await client.chat.completions.create({",
    `  model: ${name}, messages: [{ role: "user", content: "Hello" }], stream: true,`,
    "});",
    'for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");',
  ].join("\n");
}
