import { parseReference } from "../../registry/reference.js";

/** Package URLs: how SBOMs and provenance name what an image is made of. https://github.com/package-url/purl-spec */
export function dockerPurl(reference: string, digest: string | undefined): string {
  const { registry, repository, tag, digest: named } = parseReference(reference);
  const version = digest ?? named ?? tag ?? "latest";
  const path = repository.replace(/^library\//, "");
  const where = registry === "docker.io" ? "" : `?repository_url=${encodeURIComponent(registry)}`;
  return `pkg:docker/${path}@${encodeURIComponent(version)}${where}`;
}

/** By the last part of the name; the rest of it, where there is any, says where the image is. */
export function imagePurl(name: string, digest: string): string {
  const last = name.slice(name.lastIndexOf("/") + 1).toLowerCase();
  const where = name.includes("/") ? `?repository_url=${encodeURIComponent(name)}` : "";
  return `pkg:oci/${encodeURIComponent(last)}@${encodeURIComponent(digest)}${where}`;
}

export function pypiPurl(name: string, version: string | undefined): string {
  return `pkg:pypi/${name}${version === undefined ? "" : `@${encodeURIComponent(version)}`}`;
}

/** The @ of a scope is escaped, its slash is not. */
export function npmPurl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(version)}`;
}
