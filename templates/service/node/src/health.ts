/** `node health.js`: exit code 0 when the service on this machine is ready, else 1. The image's health check. */
import { get } from "node:http";

const given = process.env.MODELSHIP_HOST ?? "";
const host = { "": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1" }[given] ?? given;
const port = Number(process.env.MODELSHIP_PORT || 8080);
const request = get({ host, port, path: "/readyz", agent: false, timeout: 4000 }, ({ statusCode }) =>
  process.exit(statusCode === 200 ? 0 : 1),
);
request.on("error", () => process.exit(1));
request.on("timeout", () => process.exit(1));
