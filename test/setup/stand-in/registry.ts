import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Exchange, type Surroundings } from "./exchange.js";
import { FaultPlan, type PlannedFault } from "./faults.js";
import { type Manner, type MannerName, manners } from "./manner.js";
import { Store } from "./store.js";
import { type TokenOptions, Tokens } from "./tokens.js";

export interface StandInOptions {
  manner?: MannerName | Manner;
  /** Bytes of the largest piece, of those that name one. */
  piece?: number;
  /** Asks for tokens; lets everybody in unless given. */
  tokens?: TokenOptions;
  /** Uploads go to the other host, as with registries that keep their blobs elsewhere. */
  uploadsElsewhere?: boolean;
  /** Lists referrers itself, as registries of the protocol's version 1.1 do. */
  referrers?: boolean;
}

export interface SeenRequest {
  /** `127.0.0.1:PORT` */
  host: string;
  method: string;
  path: string;
  authorization: string | undefined;
}

export interface StandIn {
  /** `127.0.0.1:PORT`, as a client is given it. */
  host: string;
  /** Another origin, where redirects lead; it wants no login and should never see one. */
  elsewhere: string;
  store: Store;
  seen: SeenRequest[];
  tokens: Tokens | undefined;
  inject: (fault: PlannedFault) => void;
  close: () => Promise<void>;
}

function withPieces(manner: Manner, piece: number | undefined): Manner {
  return manner.advertised === undefined || piece === undefined ? manner : { ...manner, advertised: piece };
}

/** A registry on loopback that keeps to the distribution protocol, except where a fault was planned. */
export async function startStandIn(options: StandInOptions = {}): Promise<StandIn> {
  const { manner = "forgetful" } = options;
  const store = new Store();
  const faults = new FaultPlan();
  const seen: SeenRequest[] = [];
  const tokens = options.tokens && new Tokens(options.tokens);
  const surroundings: Surroundings = {
    store,
    faults,
    manner: typeof manner === "string" ? withPieces(manners[manner], options.piece) : manner,
    tokens,
    origin: "",
    elsewhere: "",
    uploadsElsewhere: options.uploadsElsewhere ?? false,
    referrers: options.referrers ?? false,
  };
  const listener = (guarded: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    const { method = "", url = "", headers } = request;
    seen.push({ host: headers.host ?? "", method, path: url, authorization: headers.authorization });
    request.on("error", () => {});
    response.on("error", () => {});
    void new Exchange(surroundings, request, response).answer(guarded ? tokens : undefined);
  };
  const own = await listen(listener(true));
  const other = await listen(listener(false));
  surroundings.origin = `http://${own.host}`;
  surroundings.elsewhere = `http://${other.host}`;
  const close = async () => {
    await Promise.all([own.close(), other.close()]);
  };
  return {
    host: own.host,
    elsewhere: other.host,
    store,
    seen,
    tokens,
    inject: (fault) => faults.add(fault),
    close,
  };
}

async function listen(listener: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { host: `127.0.0.1:${port}`, close };
}
