import { describe, expect, test } from "vitest";
import { remoteHost, serviceUrl } from "../../../src/deploy/address.js";
import { curlLine } from "../../../src/deploy/curl.js";
import { projectKey, ServiceLabel } from "../../../src/deploy/labels.js";
import { namedServices, onlyService, type Service, servicesOf, urlOf } from "../../../src/deploy/services.js";
import { startProblem } from "../../../src/docker/containers.js";

const here = { host: "unix:///var/run/docker.sock", source: "test" };
const there = { host: "tcp://gpu-box:2376", source: "test" };
const service = (name: string, more: Partial<Service> = {}): Service => ({
  name,
  id: `${name.length}abcdef0123`,
  image: `${name}:1`,
  url: undefined,
  running: true,
  status: "Up",
  created: new Date(0),
  project: undefined,
  model: name,
  ...more,
});

describe("where a service answers", () => {
  test("is on this machine, or on the engine's", () => {
    expect(remoteHost(here)).toBeUndefined();
    expect(remoteHost({ ...there, host: "tcp://127.0.0.1:2375" })).toBeUndefined();
    expect(remoteHost({ ...there, host: "npipe:////./pipe/docker_engine" })).toBeUndefined();
    expect(remoteHost(there)).toBe("gpu-box");
    expect(remoteHost({ ...there, host: "ssh://ada@gpu-box" })).toBe("gpu-box");
    expect(serviceUrl(here, "127.0.0.1", 80)).toBe("http://127.0.0.1:80");
    expect(serviceUrl(here, "0.0.0.0", 80)).toBe("http://127.0.0.1:80");
    expect(serviceUrl(here, "::1", 80)).toBe("http://[::1]:80");
    expect(serviceUrl(there, "0.0.0.0", 80)).toBe("http://gpu-box:80");
  });

  test("is the published port, or the label on the host's network", () => {
    const port = (address: string) => ({ address, hostPort: 49_152, containerPort: 8080 });
    expect(urlOf([port("::"), port("0.0.0.0")], {}, here)).toBe("http://127.0.0.1:49152");
    expect(urlOf([], { [ServiceLabel.address]: "127.0.0.1:9000" }, here)).toBe("http://127.0.0.1:9000");
    expect(urlOf([], {}, here)).toBeUndefined();
  });
});

describe("which service is meant", () => {
  const project = { root: "/home/ada/digits", name: "digits" };
  const key = projectKey(project.root);

  test("the project's, or one of an image of its name from elsewhere, or the only one", () => {
    const own = service("a", { project: key });
    const pulled = service("digits");
    const other = service("b", { project: "f".repeat(16) });
    expect(servicesOf([own, pulled, other], project)).toEqual([own]);
    expect(servicesOf([pulled, other], project)).toEqual([pulled]);
    expect(onlyService([other], project, "")).toBeUndefined();
    expect(onlyService([other], undefined, "")).toBe(other);
  });

  test("several without a name are an error that lists them", () => {
    expect(() => onlyService([service("a"), service("bb")], undefined, "Name one.")).toThrow(
      expect.objectContaining({ code: "usage", message: "Which service: a, bb?", hint: "Name one." }),
    );
  });

  test("names and beginnings of ids find it; anything else is an error that lists what there is", () => {
    const services = [service("a"), service("bb")];
    expect(namedServices(services, ["bb", "1abcd"]).map(({ name }) => name)).toEqual(["bb", "a"]);
    expect(() => namedServices(services, ["c"])).toThrow(
      expect.objectContaining({ code: "container_not_found", hint: "There are: a, bb." }),
    );
  });
});

test("a project's key does not tell its folder", () => {
  expect(projectKey("/home/ada/digits")).toMatch(/^[0-9a-f]{16}$/);
  expect(projectKey("/home/ada/digits/")).toBe(projectKey("/home/ada/digits"));
});

test("the line to copy quotes what a shell would take apart, and holds no key", () => {
  expect(curlLine({ url: "http://127.0.0.1:8080", file: "examples/request.json", key: false })).toBe(
    'curl http://127.0.0.1:8080/v1/predict -H "content-type: application/json" -d @examples/request.json',
  );
  expect(curlLine({ url: "http://h:1", file: "my model/r.json", key: true })).toBe(
    'curl http://h:1/v1/predict -H "content-type: application/json" -H "authorization: Bearer $MODELSHIP_API_KEY" -d "@my model/r.json"',
  );
});

test("what engines say when a container does not start is understood", () => {
  const said: [string, string][] = [
    ['Conflict. The container name "/digits" is already in use by container "ab12".', "name"],
    [
      'creating container storage: the container name "digits" is already in use by ab12. You have to remove it',
      "name",
    ],
    [
      "driver failed programming external connectivity: Bind for 127.0.0.1:8080 failed: port is already allocated",
      "port",
    ],
    ["rootlessport listen tcp 127.0.0.1:8080: bind: address already in use", "port"],
    ["Ports are not available: exposing port TCP 127.0.0.1:8080", "port"],
    ['could not select device driver "" with capabilities: [[gpu]]', "gpu"],
    [
      "failed to create shim task: OCI runtime create failed: error setting rlimit type 7: operation not permitted",
      "limits",
    ],
    ["container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no such file", "init"],
    ['exec: "docker-init": executable file not found in $PATH', "init"],
    ['invalid mount config for type "bind": bind source path does not exist: /x', "mount"],
    ["network shop not found", "network"],
  ];
  for (const [message, problem] of said)
    expect([message, startProblem(new Error(message))]).toEqual([message, problem]);
  expect(startProblem(new Error("something else"))).toBeUndefined();
});
