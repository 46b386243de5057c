/** Asks the service: node client.ts [request.json] */
import { readFile } from "node:fs/promises";

const url = process.env.MODELSHIP_URL ?? "http://127.0.0.1:8080";
const key = process.env.MODELSHIP_API_KEY;
const file = process.argv[2] ?? "examples/request.json";

const response = await fetch(`${url}/v1/predict`, {
  method: "POST",
  headers: { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) },
  body: await readFile(file, "utf8"),
});
console.log(await response.text());
// 429 and 503 say in Retry-After when to come back.
if (!response.ok) process.exitCode = 1;
