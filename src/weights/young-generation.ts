import { setFlagsFromString } from "node:v8";

/**
 * What files and sockets bring and take is garbage at once; room for it to pile up in would only make the process
 * larger.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
