import { describe, expect, test } from "vitest";
import {
  parseCount,
  parseCpus,
  parseGpus,
  parseMemory,
  parsePort,
  parseSeconds,
  parseSince,
} from "../../../src/deploy/limits.js";

const usage = expect.objectContaining({ code: "usage", hint: expect.any(String) });

describe("values of flags", () => {
  test("memory", () => {
    expect(parseMemory("512m")).toBe(512 * 2 ** 20);
    expect(parseMemory("2g")).toBe(2 * 2 ** 30);
    expect(parseMemory("1.5GiB")).toBe(1.5 * 2 ** 30);
    expect(parseMemory("2GB")).toBe(2 * 2 ** 30);
    expect(parseMemory("8388608")).toBe(8 * 2 ** 20);
    for (const bad of ["", "lots", "-1g", "2x", "0", "1m", "1024"])
      expect(() => parseMemory(bad)).toThrow(usage);
  });

  test("CPUs", () => {
    expect(parseCpus("1.5")).toBe(1_500_000_000);
    expect(parseCpus("2")).toBe(2_000_000_000);
    for (const bad of ["", "0", "-1", "all", "1,5"]) expect(() => parseCpus(bad)).toThrow(usage);
  });

  test("GPUs", () => {
    const capabilities = { Capabilities: [["gpu"]] };
    expect(parseGpus("all")).toEqual({ Driver: "", Count: -1, ...capabilities });
    expect(parseGpus("2")).toEqual({ Driver: "", Count: 2, ...capabilities });
    expect(parseGpus("device=0,GPU-3a23c669")).toEqual({
      Driver: "",
      DeviceIDs: ["0", "GPU-3a23c669"],
      ...capabilities,
    });
    expect(parseGpus("device=nvidia.com/gpu=0")).toMatchObject({
      Driver: "cdi",
      DeviceIDs: ["nvidia.com/gpu=0"],
    });
    for (const bad of ["", "0", "none", "device=", "device=0,,1"])
      expect(() => parseGpus(bad)).toThrow(usage);
  });

  test("ports, counts and lengths of time", () => {
    expect(parsePort("0")).toBe(0);
    expect(parsePort("65535")).toBe(65_535);
    for (const bad of ["65536", "-1", "http", "80.5"]) expect(() => parsePort(bad)).toThrow(usage);
    expect(parseCount("--tail", "0")).toBe(0);
    expect(() => parseCount("--tail", "all")).toThrow(usage);
    expect([
      parseSeconds("--timeout", "90"),
      parseSeconds("--timeout", "1.5s"),
      parseSeconds("--timeout", "2m"),
    ]).toEqual([90, 1.5, 120]);
    expect(() => parseSeconds("--timeout", "soon")).toThrow(usage);
  });

  test("points in time", () => {
    const now = new Date("2026-01-31T12:00:00Z");
    expect(parseSince("10m", now)).toEqual(new Date("2026-01-31T11:50:00Z"));
    expect(parseSince("1h30m", now)).toEqual(new Date("2026-01-31T10:30:00Z"));
    expect(parseSince("2026-01-31T11:00:00Z", now)).toEqual(new Date("2026-01-31T11:00:00Z"));
    expect(parseSince("1769857200", now)).toEqual(new Date("2026-01-31T11:00:00Z"));
    for (const bad of ["", "yesterday", "10", "2026-13-45", "10m ago"])
      expect(() => parseSince(bad, now)).toThrow(usage);
  });
});
