import { isUserError } from "../errors.js";
import { isCertificateError } from "./errors.js";
import { isLoopback } from "./reference.js";
import type { Transport } from "./transport.js";

const patience = 5_000;

/**
 * Whether a registry is spoken to with TLS. Always, except on loopback and where the user allowed less: there one
 * request without credentials finds out.
 */
export async function findBase(transport: Transport, host: string, insecure: boolean): Promise<URL> {
  const secure = new URL(`https://${host}`);
  const plain = new URL(`http://${host}`);
  if (isLoopback(host)) {
    if (await looksLikeRegistry(transport, plain)) return plain;
    return (await speaksTls(transport, secure)) ? secure : plain;
  }
  if (!insecure) return secure;
  return (await speaksTls(transport, secure)) || !(await answers(transport, plain)) ? secure : plain;
}

async function looksLikeRegistry(transport: Transport, base: URL): Promise<boolean> {
  try {
    const { status, headers } = await ask(transport, base);
    return (
      "docker-distribution-api-version" in headers ||
      status === 200 ||
      status === 401 ||
      status === 429 ||
      status >= 500
    );
  } catch (error) {
    if (isUserError(error)) throw error;
    return false;
  }
}

async function speaksTls(transport: Transport, base: URL): Promise<boolean> {
  try {
    await ask(transport, base);
    return true;
  } catch (error) {
    if (isUserError(error)) throw error;
    return isCertificateError(error);
  }
}

async function answers(transport: Transport, base: URL): Promise<boolean> {
  try {
    await ask(transport, base);
    return true;
  } catch (error) {
    if (isUserError(error)) throw error;
    return false;
  }
}

function ask(transport: Transport, base: URL) {
  return transport.send({ method: "GET", url: new URL("/v2/", base), headers: {}, timeout: patience });
}
