import { ExoError } from "../core/errors.js";
import type { KvType, Settings } from "./config.js";

const NOT_QUANTIZED: readonly KvType[] = ["f32", "f16", "bf16"];

/** Refuses settings of which each is right and which cannot be had together, before anything is loaded for them. */
export function refuseContradictions(settings: Settings): void {
  refuseCache(settings);
  refuseInvite(settings);
}

function refuseCache({ kv, kvV, flashAttention }: Settings): void {
  const values = kvV ?? kv;
  if (flashAttention !== "off" || NOT_QUANTIZED.includes(values)) return;
  throw new ExoError(
    "invalid_argument",
    `A KV cache whose values are ${values} needs flash attention: leave out --flash-attention off, or take ` +
      "f16 for the values (--kv-v f16).",
    { param: kvV === null ? "--kv" : "--kv-v" },
  );
}

function refuseInvite({ join, open, cluster }: Settings): void {
  if (join === null) return;
  if (join.token !== undefined) refuseOpenWithToken(open);
  else if (!open) {
    throw new ExoError(
      "invalid_argument",
      "The invite is one of an open cluster, which any node on the network may join: add --open to say that you trust this network.",
      { param: "--join" },
    );
  }
  if (cluster === null || join.cluster === null || join.cluster === cluster) return;
  throw new ExoError(
    "invalid_argument",
    `The invite is one of the cluster "${join.cluster}", and --cluster names "${cluster}": leave out --cluster.`,
    { param: "--cluster" },
  );
}

function refuseOpenWithToken(open: boolean): void {
  if (!open) return;
  throw new ExoError(
    "invalid_argument",
    "The token is one of a cluster with a secret, and --open lets any node in: leave out --open.",
    { param: "--open" },
  );
}
