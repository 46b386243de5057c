import { connect, createServer } from "node:net";
import { systemCode } from "../errors.js";
import type { Reporter } from "../reporter.js";

/** The port that was asked for, 0 standing for any, or a free one where it is in use. */
export async function choosePort(address: string, wanted: number, report: Reporter): Promise<number> {
  if (wanted === 0) return freePort(address);
  if (await isPortFree(address, wanted)) return wanted;
  const port = await freePort(address);
  report({ type: "note", message: `Port ${wanted} is in use; taking ${port}.` });
  return port;
}

/** A port of this machine that nobody listens on just now. */
export function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: address, port: 0, exclusive: true }, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === "object" && bound ? bound.port : 0));
    });
  });
}

/** Whether nobody listens on the port. A port that only this user may not open counts as free: the engine may. */
export async function isPortFree(address: string, port: number): Promise<boolean> {
  // Some systems let a second listener bind a narrower address; a listener shows itself by answering.
  if (await answers(address, port)) return false;
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(systemCode(error) !== "EADDRINUSE"));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function answers(address: string, port: number): Promise<boolean> {
  const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 500 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}
