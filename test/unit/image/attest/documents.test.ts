import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { attach, provenanceAttachment, sbomAttachment } from "../../../../src/image/attest/attach.js";
import { openEnvelope } from "../../../../src/image/attest/dsse.js";
import {
  type ProvenanceInput,
  provenanceBody,
  provenanceStatement,
  readProvenance,
  statementType,
} from "../../../../src/image/attest/provenance.js";
import { type SbomInput, spdxDocument } from "../../../../src/image/attest/spdx.js";
import { RegistryClient } from "../../../../src/registry/client.js";
import { listReferrers } from "../../../../src/registry/referrers.js";
import { startStandIn } from "../../../setup/stand-in/registry.js";

const digest = (mark: string) => `sha256:${mark.repeat(64)}`;

const sbom: SbomInput = {
  image: { name: "digits", version: "1.2.0", digest: digest("5") },
  base: { reference: "python:3.12-slim-bookworm", digest: digest("b") },
  weights: [
    { path: "/app/model/weights.bin", size: 8_589_934_592, digest: digest("1") },
    { path: "/app/model/tokenizer/weights.bin", size: 0, digest: digest("2") },
  ],
  packages: [
    { name: "numpy", version: "2.1.0+cpu", hashes: [digest("c")] },
    { name: "uvicorn", version: "1.0", hashes: [digest("d"), digest("e")] },
    { name: "colorama", version: "0.4", hashes: [], marker: "sys_platform == 'win32'" },
    { name: "scikit-learn", hashes: [] },
  ],
  locked: true,
  systemPackages: ["libgomp1"],
  created: "2026-01-31T12:00:00.123Z",
  tool: "0.1.0",
};

const provenance: ProvenanceInput = {
  subject: { name: "registry.example/acme/digits", digest: digest("5") },
  project: { name: "digits", version: "1.2.0", requirements: "requirements.txt", platform: "linux/amd64" },
  tool: { version: "0.1.0", key: digest("9") },
  base: { reference: "registry.example:5000/base/python:3.12", digest: digest("b") },
  revision: {
    commit: "0123456789abcdef",
    dirty: true,
    committedAt: 1,
    source: "git@git.example:acme/digits.git",
  },
  context: [
    { path: "app/model.py", digest: digest("3") },
    { path: "requirements/requirements.txt", digest: digest("4") },
  ],
  weights: [{ path: "/app/model/weights.bin", size: 10, digest: digest("1") }],
};

describe("the SBOM", () => {
  const document = spdxDocument(sbom);
  const packages = new Map(document.packages.map((one) => [one.SPDXID, one]));

  // The rules of SPDX 2.3 for what we write: identifiers, times, namespaces, and references that lead somewhere.
  it("keeps to SPDX 2.3", () => {
    expect(document).toMatchObject({
      spdxVersion: "SPDX-2.3",
      dataLicense: "CC0-1.0",
      SPDXID: "SPDXRef-DOCUMENT",
    });
    expect(document.creationInfo.created).toBe("2026-01-31T12:00:00Z");
    expect(document.creationInfo.creators).toEqual(["Tool: modelship-0.1.0"]);
    expect(new URL(document.documentNamespace).hash).toBe("");
    expect(packages.size).toBe(document.packages.length);
    for (const one of document.packages) {
      expect(one.SPDXID).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/);
      expect(one.name).not.toBe("");
      expect(one).toMatchObject({ downloadLocation: "NOASSERTION", filesAnalyzed: false });
      for (const { checksumValue } of one.checksums ?? []) expect(checksumValue).toMatch(/^[0-9a-f]{64}$/);
      for (const { referenceLocator } of one.externalRefs ?? [])
        expect(referenceLocator).toMatch(/^pkg:[a-z]+\/\S+$/);
    }
    const known = new Set([document.SPDXID, ...packages.keys()]);
    for (const { spdxElementId, relatedSpdxElement, relationshipType } of document.relationships) {
      expect(known).toContain(spdxElementId);
      expect(known).toContain(relatedSpdxElement);
      expect(["DESCRIBES", "DESCENDANT_OF", "CONTAINS"]).toContain(relationshipType);
    }
    expect(document.relationships[0]).toMatchObject({
      relationshipType: "DESCRIBES",
      relatedSpdxElement: "SPDXRef-Image",
    });
  });

  it("has every model file with its hash and size, also where two have one name", () => {
    const files = document.packages.filter((one) => one.primaryPackagePurpose === "FILE");
    expect(files.map((one) => [one.packageFileName, one.checksums?.[0]?.checksumValue, one.comment])).toEqual(
      [
        ["/app/model/weights.bin", "1".repeat(64), "A model file of 8589934592 bytes."],
        ["/app/model/tokenizer/weights.bin", "2".repeat(64), "A model file of 0 bytes."],
      ],
    );
  });

  it("has the base image, and Python packages with what is known of them", () => {
    expect(packages.get("SPDXRef-Base")?.externalRefs?.[0]?.referenceLocator).toBe(
      `pkg:docker/python@sha256%3A${"b".repeat(64)}`,
    );
    const named = new Map(document.packages.map((one) => [one.name, one]));
    expect(named.get("numpy")).toMatchObject({
      versionInfo: "2.1.0+cpu",
      checksums: [{ algorithm: "SHA256", checksumValue: "c".repeat(64) }],
    });
    expect(named.get("numpy")?.externalRefs?.[0]?.referenceLocator).toBe("pkg:pypi/numpy@2.1.0%2Bcpu");
    expect(named.get("uvicorn")?.checksums).toBeUndefined();
    expect(named.get("uvicorn")?.comment).toContain(digest("d"));
    expect(named.get("colorama")?.comment).toContain("Only where sys_platform == 'win32'.");
    expect(named.get("scikit-learn")?.comment).toMatch(/was chosen when the image was built/);
    expect(named.get("scikit-learn")).not.toHaveProperty("versionInfo");
  });

  it("says what was not looked into, and more where there is no lock", () => {
    expect(document.comment).toMatch(/inside the base image/);
    expect(document.comment).not.toMatch(/no lock pins/);
    expect(spdxDocument({ ...sbom, locked: false }).comment).toMatch(/no lock pins/);
  });

  it("is the same for the same image, and has another namespace for another", () => {
    expect(spdxDocument(sbom)).toEqual(document);
    const other = spdxDocument({ ...sbom, packages: [] });
    expect(other.documentNamespace).not.toBe(document.documentNamespace);
  });
});

describe("the provenance", () => {
  const statement = provenanceStatement(provenance);

  it("is an in-toto statement about the image, with SLSA's predicate", () => {
    expect(statement).toMatchObject({
      _type: "https://in-toto.io/Statement/v1",
      predicateType: "https://slsa.dev/provenance/v1",
      subject: [{ name: "registry.example/acme/digits", digest: { sha256: "5".repeat(64) } }],
      predicate: {
        buildDefinition: {
          externalParameters: { name: "digits", version: "1.2.0", platform: "linux/amd64" },
          internalParameters: { modelship: "0.1.0", key: digest("9") },
        },
      },
    });
    const { resolvedDependencies } = statement.predicate.buildDefinition;
    expect(resolvedDependencies).toContainEqual({
      uri: "git+ssh://git.example/acme/digits.git",
      digest: { gitCommit: "0123456789abcdef" },
      annotations: { kind: "source", dirty: true },
    });
    expect(resolvedDependencies[0]).toMatchObject({
      uri: `pkg:docker/base/python@sha256%3A${"b".repeat(64)}?repository_url=registry.example%3A5000`,
    });
    // Each has what SLSA asks of one: an address, a digest or content.
    for (const one of resolvedDependencies) expect(one.uri ?? one.digest).toBeDefined();
  });

  it.each(["/srv/git/canary.git", "file:///home/canary/repo", "../canary"])(
    "keeps a repository on this machine to itself: %s",
    (source) => {
      const { revision } = provenance;
      const text = provenanceBody(
        provenanceStatement({ ...provenance, revision: revision && { ...revision, source } }),
      ).toString();
      expect(text).not.toContain("canary");
      expect(text).toContain("0123456789abcdef");
    },
  );

  it("is read back as it was written", () => {
    expect(readProvenance(provenanceBody(statement))).toEqual({
      subjects: [digest("5")],
      name: "digits",
      version: "1.2.0",
      modelship: "0.1.0",
      key: digest("9"),
      base: { uri: statement.predicate.buildDefinition.resolvedDependencies[0]?.uri, digest: digest("b") },
      context: new Map([
        ["app/model.py", digest("3")],
        ["requirements/requirements.txt", digest("4")],
      ]),
      weights: new Map([["/app/model/weights.bin", digest("1")]]),
    });
  });

  it.each(["{", "null", '{"_type":"https://in-toto.io/Statement/v1"}', "[]"])(
    "is not read from %s",
    (text) => {
      expect(readProvenance(Buffer.from(text))).toBeUndefined();
    },
  );

  it("of another builder is not taken for ours", () => {
    const text = provenanceBody(statement).toString().replace("modelship.dev/build/v1", "other.example/v1");
    expect(readProvenance(Buffer.from(text))).toBeUndefined();
  });
});

describe("documents beside an image", () => {
  const repository = "acme/digits";
  const subject = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: digest("5"),
    size: 1234,
  };
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const key = { private: privateKey, public: publicKey };

  async function registry() {
    const server = await startStandIn({ referrers: true });
    const client = new RegistryClient(server.host, {
      env: {},
      backoff: 1,
      credentials: async () => undefined,
    });
    onTestFinished(async () => {
      client.close();
      await server.close();
    });
    return { ...server, client };
  }

  it("are found by their types, and are what was attached", async () => {
    const { client, store } = await registry();
    const statement = provenanceStatement(provenance);
    const documents = [sbomAttachment(spdxDocument(sbom)), provenanceAttachment(statement)];
    const attached = await attach(client, repository, subject, documents);
    expect(attached.map(({ sent }) => sent)).toEqual([true, true]);
    const [found] = await listReferrers(client, repository, subject.digest, "application/spdx+json");
    expect(found?.digest).toBe(attached[0]?.digest);
    const { body } = await client.manifest({ repository, digest: found?.digest ?? "" });
    const manifest = JSON.parse(body.toString());
    expect(manifest).toMatchObject({ artifactType: "application/spdx+json", subject });
    const content = store.repository(repository).blobs.get(manifest.layers[0].digest);
    expect(JSON.parse(content?.toString() ?? "")).toEqual(spdxDocument(sbom));
    expect(await listReferrers(client, repository, subject.digest, statementType)).toHaveLength(1);
  });

  it("are sent once, signed ones too", async () => {
    const { client, seen } = await registry();
    const documents = () => [
      sbomAttachment(spdxDocument(sbom)),
      provenanceAttachment(provenanceStatement(provenance), key),
    ];
    const first = await attach(client, repository, subject, documents());
    const before = seen.length;
    const again = await attach(client, repository, subject, documents());
    expect(again).toEqual(first.map((one) => ({ ...one, sent: false })));
    expect(seen.slice(before).map(({ method }) => method)).toEqual(["GET"]);
  });

  it("are sent again when they say something else", async () => {
    const { client } = await registry();
    for (const version of ["1.2.0", "1.3.0"]) {
      const statement = provenanceStatement({ ...provenance, project: { ...provenance.project, version } });
      await attach(client, repository, subject, [provenanceAttachment(statement, key)]);
    }
    expect(await listReferrers(client, repository, subject.digest, statementType)).toHaveLength(2);
  });

  it("are in an envelope that only their key made", () => {
    const statement = provenanceStatement(provenance);
    const { body } = provenanceAttachment(statement, key);
    const envelope = openEnvelope(body, statementType);
    expect(envelope?.payload).toEqual(provenanceBody(statement));
    expect(envelope?.isSignedBy(publicKey)).toBe(true);
    expect(envelope?.isSignedBy(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey)).toBe(
      false,
    );
    const other = JSON.parse(body.toString());
    other.payload = Buffer.from("{}").toString("base64");
    expect(openEnvelope(Buffer.from(JSON.stringify(other)), statementType)?.isSignedBy(publicKey)).toBe(
      false,
    );
    expect(openEnvelope(body, "application/x-other")).toBeUndefined();
    expect(openEnvelope(Buffer.from("{"), statementType)).toBeUndefined();
  });
});
