/** Is it started, does it live, is it ready: three questions with answers of their own. */
import type { Handler } from "../http/router.js";

export const live: Handler = () => ({ status: 200, body: '{"live":true}' });

/** Loading is over. A start may take long, and a liveness probe must not end it. */
export const started: Handler = (service) => {
  if (service.state === "loading") throw service.notReady();
  return { status: 200, body: '{"started":true}' };
};

export const ready: Handler = (service) => {
  if (service.state !== "ready") throw service.notReady();
  return { status: 200, body: '{"ready":true}' };
};
