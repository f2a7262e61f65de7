import { BlockList, isIP, isIPv6 } from "node:net";
import type { LocalInterface } from "./interfaces.js";

/** Whether addresses are of the networks that an interface is in. */
export class Subnets {
  readonly #list = new BlockList();
  readonly #scope: string;

  constructor({ addresses, scope }: LocalInterface) {
    this.#scope = scope;
    for (const { address, prefix, family } of addresses) {
      this.#list.addSubnet(address, prefix, family === 6 ? "ipv6" : "ipv4");
    }
  }

  /** An address of one link is here when its scope says so, any other when it is of the same network. */
  has(address: string): boolean {
    const [bare = "", scope] = address.split("%");
    if (scope !== undefined) return scope === this.#scope;
    return isIP(bare) !== 0 && this.#list.check(bare, isIPv6(bare) ? "ipv6" : "ipv4");
  }

  /** As this machine has to write it: with the scope where the address holds on one link only. */
  scoped(address: string): string {
    return isLinkLocal(address) && !address.includes("%") ? `${address}%${this.#scope}` : address;
  }
}

/** Whether an IPv6 address means something on its link only. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address);
}
