/** The two families that manifests come in. One manifest keeps to one: some registries refuse a mixture. */
export type Family = "oci" | "docker";

export interface FamilyTypes {
  manifest: string;
  index: string;
  config: string;
  /** A layer that is a plain tar. */
  layer: string;
}

export const familyTypes: Readonly<Record<Family, FamilyTypes>> = {
  oci: {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    index: "application/vnd.oci.image.index.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar",
  },
  docker: {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar",
  },
};

/** Docker only where every type is Docker's. A document may leave its own type out; the rest then decides. */
export function familyOf(types: readonly (string | undefined)[]): Family {
  const said = types.filter((type) => type !== undefined);
  return said.length > 0 && said.every((type) => type.startsWith("application/vnd.docker."))
    ? "docker"
    : "oci";
}

const ociLayers: Readonly<Record<string, string>> = {
  [familyTypes.docker.layer]: familyTypes.oci.layer,
  "application/vnd.docker.image.rootfs.diff.tar.gzip": `${familyTypes.oci.layer}+gzip`,
  "application/vnd.docker.image.rootfs.diff.tar.zstd": `${familyTypes.oci.layer}+zstd`,
  "application/vnd.docker.image.rootfs.foreign.diff.tar":
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip":
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
};

/** What OCI calls a layer that is the same blob in both families. */
export function ociLayerType(type: string): string {
  return ociLayers[type] ?? type;
}
