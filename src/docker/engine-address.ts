/** Where an engine listens, and how we came to know. */
export interface Endpoint {
  /** As DOCKER_HOST writes it: `unix:///var/run/docker.sock`, `tcp://host:2376`, `npipe:////./pipe/docker_engine`. */
  host: string;
  /** For people: `DOCKER_HOST`, `context "colima"`, `the default socket`. */
  source: string;
  tls?: { ca?: Buffer; cert?: Buffer; key?: Buffer; verify: boolean };
}
