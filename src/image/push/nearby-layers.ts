import { throwIfAborted } from "../../errors.js";
import type { Target } from "./target.js";

const mostNearby = 6;
/** Signatures and attestations hang on tags of this form. */
const attachmentTag = /^sha(256|512)-/;

/**
 * Sizes of the layers in the images that are most likely to share layers with what is pushed: the tag's own, `latest`, and the
 * versions just before it. A hint and no proof: a registry that does not say has none.
 */
export async function nearbyLayerSizes(target: Target): Promise<ReadonlySet<number>> {
  const own = target.reference.tag ?? "latest";
  const names = new Set([own, ...nearby(await target.tags(), own)]);
  const sizes = await Promise.all([...names].map((tag) => layerSizes(target, { tag })));
  throwIfAborted(target.signal);
  return new Set(sizes.flat());
}

function nearby(tags: readonly string[], own: string): string[] {
  const { compare } = new Intl.Collator("en", { numeric: true });
  const others = tags.filter((tag) => tag !== own && !attachmentTag.test(tag)).sort(compare);
  const before = others.filter((tag) => compare(tag, own) < 0);
  const after = others.slice(before.length);
  const latest = others.filter((tag) => tag === "latest");
  return [...latest, ...before.reverse(), ...after].slice(0, mostNearby);
}

/** Of an index, the layers of its first image. */
async function layerSizes(target: Target, name: { tag: string } | { digest: string }): Promise<number[]> {
  try {
    const { repository } = target.reference;
    const { body } = await target.client.manifest({ repository, ...name });
    const { manifests, layers } = JSON.parse(body.toString("utf8")) as {
      manifests?: readonly { digest: string }[];
      layers?: readonly { size: number }[];
    };
    const first = "tag" in name ? manifests?.[0] : undefined;
    return first
      ? await layerSizes(target, { digest: first.digest })
      : (layers ?? []).map(({ size }) => size);
  } catch {
    return [];
  }
}
