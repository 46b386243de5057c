import { describe, expect, test } from "vitest";
import { parseGpus } from "../../../src/deploy/limits.js";
import { type ContainerPlan, containerSpec } from "../../../src/deploy/spec.js";

const plan: ContainerPlan = {
  service: "digits",
  image: "sha256:1234",
  imageName: "digits:1.0.0",
  project: "0123456789abcdef",
  port: 8080,
  address: "127.0.0.1",
  hostPort: 49_152,
  environment: new Map([
    ["SECRET", "canary-7"],
    ["MODELSHIP_PORT", "1"],
  ]),
  command: [],
  files: "/app/model",
  readOnly: false,
  init: true,
  openFiles: 65_536,
};

describe("a service's container", () => {
  test("knows the digest that its image has in a registry", () => {
    const digest = `sha256:${"a".repeat(64)}`;
    expect(containerSpec({ ...plan, digest }).Env).toContain(`MODELSHIP_IMAGE_DIGEST=${digest}`);
  });

  test("is open on its own network only where nothing else was said", () => {
    const environment = new Map([["MODELSHIP_OPEN", "0"]]);
    expect(containerSpec({ ...plan, environment }).Env).toContain("MODELSHIP_OPEN=0");
    expect(containerSpec({ ...plan, environment }).Env).not.toContain("MODELSHIP_OPEN=1");
  });

  test("publishes its port, has no powers and says whose it is", () => {
    expect(containerSpec(plan)).toEqual({
      Image: "sha256:1234",
      Env: [
        "SECRET=canary-7",
        "MODELSHIP_PORT=8080",
        "MODELSHIP_HOST=0.0.0.0",
        "MODELSHIP_OPEN=1",
        "MODELSHIP_FILES=/app/model",
      ],
      Labels: {
        "dev.modelship.service": "digits",
        "dev.modelship.image": "digits:1.0.0",
        "dev.modelship.project": "0123456789abcdef",
      },
      ExposedPorts: { "8080/tcp": {} },
      HostConfig: {
        PortBindings: { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: "49152" }] },
        Init: true,
        Ulimits: [{ Name: "nofile", Soft: 65_536, Hard: 65_536 }],
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
      },
    });
  });

  test("keeps secrets out of labels", () => {
    const { Env, ...rest } = containerSpec(plan);
    expect(Env).toContain("SECRET=canary-7");
    expect(JSON.stringify(rest)).not.toContain("canary-7");
  });

  test("listens on the chosen port itself on the host's network", () => {
    const spec = containerSpec({ ...plan, network: "host", project: undefined });
    expect(spec.Env).toEqual(expect.arrayContaining(["MODELSHIP_PORT=49152", "MODELSHIP_HOST=127.0.0.1"]));
    expect(spec.HostConfig).toMatchObject({ NetworkMode: "host" });
    expect(spec.HostConfig).not.toHaveProperty("PortBindings");
    expect(spec).not.toHaveProperty("ExposedPorts");
    expect(spec.Labels).toEqual({
      "dev.modelship.service": "digits",
      "dev.modelship.image": "digits:1.0.0",
      "dev.modelship.address": "127.0.0.1:49152",
    });
  });

  test("gets what the flags ask for", () => {
    const spec = containerSpec({
      ...plan,
      network: "shop",
      weights: { source: "/home/ada/digits/model", target: "/app/model" },
      memory: 2 ** 30,
      nanoCpus: 1.5e9,
      gpus: parseGpus("all"),
      readOnly: true,
      command: ["--workers", "2"],
    });
    expect(spec.Cmd).toEqual(["--workers", "2"]);
    expect(spec.HostConfig).toMatchObject({
      NetworkMode: "shop",
      PortBindings: { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: "49152" }] },
      Mounts: [{ Type: "bind", Source: "/home/ada/digits/model", Target: "/app/model", ReadOnly: true }],
      Memory: 2 ** 30,
      NanoCpus: 1.5e9,
      DeviceRequests: [{ Driver: "", Count: -1, Capabilities: [["gpu"]] }],
      ReadonlyRootfs: true,
      Tmpfs: { "/tmp": "rw,exec,nosuid,nodev,mode=1777" },
    });
  });

  test("goes without what an engine cannot do", () => {
    const { HostConfig } = containerSpec({ ...plan, init: false, openFiles: undefined });
    expect(HostConfig).not.toHaveProperty("Init");
    expect(HostConfig).not.toHaveProperty("Ulimits");
  });
});
