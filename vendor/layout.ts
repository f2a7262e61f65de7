import { join, resolve } from "node:path";

/** The checkout or installed package. This file runs as `dist/vendor/layout.js`. */
export const PROJECT_ROOT = resolve(import.meta.dirname, "..", "..");

export interface VendorLayout {
  /** Where the transformed llama.cpp source is unpacked. */
  readonly source: string;
  /** Our own C++ files, copied over the unpacked source. */
  readonly overlay: string;
  /** Scratch on the same file system as `source`, so that a finished tree can be renamed into place. */
  readonly scratch: string;
}

export function vendorLayout(root: string): VendorLayout {
  const vendor = join(root, "vendor");
  return { source: join(vendor, "llama.cpp"), overlay: join(vendor, "overlay"), scratch: join(vendor, "build") };
}
