import type { RegistryClient } from "../../registry/client.js";
import { bytesBlob } from "../../registry/file-blob.js";
import { type Descriptor, digestOf } from "../../registry/manifest.js";
import { artifactBody, emptyObject, listReferrers, putReferrer } from "../../registry/referrers.js";
import { sendBlob } from "../../registry/upload/send-blob.js";
import { envelopeType, sealEnvelope } from "./dsse.js";
import { fingerprint, type SigningKey } from "./key.js";
import { type ProvenanceStatement, provenanceBody, statementType } from "./provenance.js";
import { type SpdxDocument, spdxBody, spdxType } from "./spdx.js";

/** A document about an image, as it is kept beside it. */
export interface Attachment {
  artifactType: string;
  mediaType: string;
  /** For people: `SBOM`. */
  title: string;
  body: Buffer;
  /**
   * Says which document this is where its bytes do not: a signature is made of chance, so that the same statement,
   * signed again, has another digest.
   */
  identity?: string;
}

export interface Attached {
  artifactType: string;
  /** Of the artifact's manifest: `sha256:<hex>`. */
  digest: string;
  /** False: it was there. */
  sent: boolean;
}

const identityAnnotation = "dev.modelship.attachment";
const titleAnnotation = "org.opencontainers.image.title";

export function sbomAttachment(document: SpdxDocument): Attachment {
  return { artifactType: spdxType, mediaType: spdxType, title: "SBOM", body: spdxBody(document) };
}

/** The statement as it is, or in a signed envelope where there is a key. */
export function provenanceAttachment(statement: ProvenanceStatement, key?: SigningKey): Attachment {
  const body = provenanceBody(statement);
  const plain = { artifactType: statementType, mediaType: statementType, title: "provenance", body };
  if (!key) return plain;
  return {
    ...plain,
    mediaType: envelopeType,
    body: sealEnvelope(key, statementType, body),
    identity: `${digestOf(body)} by ${fingerprint(key.public)}`,
  };
}

/** Has each document beside the image. What is there already is not sent again. */
export async function attach(
  client: RegistryClient,
  repository: string,
  subject: Descriptor,
  documents: readonly Attachment[],
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Attached[]> {
  const present = await listReferrers(client, repository, subject.digest);
  const { digest, mediaType, size } = subject;
  const attached: Attached[] = [];
  for (const document of documents) {
    const { artifactType, title, identity } = document;
    const layer = bytesBlob(document.body, { title, mediaType: document.mediaType });
    const config = bytesBlob(emptyObject.bytes, { title, mediaType: emptyObject.mediaType });
    const artifact = {
      artifactType,
      config: described(config),
      layers: [{ ...described(layer), annotations: { [titleAnnotation]: title } }],
      subject: { digest, mediaType, size },
      ...(identity !== undefined && { annotations: { [identityAnnotation]: identity } }),
    };
    const wanted = digestOf(artifactBody(artifact));
    const same = present.find(
      (one) =>
        one.digest === wanted ||
        (identity !== undefined &&
          one.artifactType === artifactType &&
          one.annotations?.[identityAnnotation] === identity),
    );
    if (same) {
      attached.push({ artifactType, digest: same.digest, sent: false });
      continue;
    }
    for (const blob of [config, layer]) await sendBlob(client, blob, { repository, ...options });
    const put = await putReferrer(client, repository, artifact);
    attached.push({ artifactType, digest: put.digest, sent: true });
  }
  return attached;
}

function described({ mediaType, digest, size }: ReturnType<typeof bytesBlob>): Descriptor {
  return { mediaType, digest: digest ?? "", size };
}
