import { experimental } from "@grpc/grpc-js";
import { formatHostPort, type HostPort } from "../config/address.js";

const SCHEME = "exo-link";

/**
 * The text by which gRPC reaches a peer. gRPC makes a URL of it, and a URL cannot hold an IPv6 address with the name of its
 * link (`fe80::1%eth0`), so these go by a scheme of our own.
 */
export function channelTarget(peer: HostPort): string {
  const written = formatHostPort(peer);
  return peer.host.includes("%") ? `${SCHEME}:${written}` : written;
}

/** One address, as it is for the socket, and without the link's name for the URL. */
class LinkAddressResolver implements experimental.Resolver {
  readonly #address: HostPort;
  readonly #listener: experimental.ResolverListener;
  #told = false;

  constructor({ path }: experimental.GrpcUri, listener: experimental.ResolverListener) {
    const { host, port } = experimental.splitHostPort(path) ?? { host: path };
    this.#address = { host, port: port ?? 0 };
    this.#listener = listener;
  }

  updateResolution(): void {
    if (this.#told) return;
    this.#told = true;
    process.nextTick(() => {
      this.#listener(experimental.statusOrFromValue([{ addresses: [this.#address] }]), {}, null, "");
    });
  }

  destroy(): void {
    this.#told = false;
  }

  static getDefaultAuthority({ path }: experimental.GrpcUri): string {
    return path.replace(/%[^\]]*/, "");
  }
}

experimental.registerResolver(SCHEME, LinkAddressResolver);
