import type { LinkSpec } from "./link.js";

export interface NamedLink extends LinkSpec {
  readonly name: string;
  readonly label: string;
}

const MEGABIT = 1e6 / 8;

/**
 * What a hop costs beside the wire: frame, gRPC, event loops on both ends. This project's goal for a loopback hop is
 * 150 µs; a gRPC stream in Node takes 45 to 100 µs for the round trip of 8 to 32 KB, twice that with mutual TLS.
 */
export const HOP_OVERHEAD = 150e-6;

/** TCP's share of what Ethernet carries: 1448 of 1538 bytes of a frame of 1500. */
const TCP_OVER_ETHERNET = 1448 / 1538;

function link(name: string, label: string, oneWayMs: number, bytesPerSecond: number): NamedLink {
  return { name, label, latency: oneWayMs / 1000, bytesPerSecond, overhead: HOP_OVERHEAD };
}

/**
 * One-way delay and bandwidth from the slowest to the fastest. Ethernet's bandwidths follow from the standard; the others
 * are what such links are commonly seen to give and differ much from place to place: measure yours with ping and iperf3.
 * Thunderbolt: TCP over it takes about 300 µs per round trip and less than 50 µs with RDMA (Apple's TN3205).
 */
export const LINKS: readonly NamedLink[] = [
  link("internet", "Internet, 20 ms round trip, 100 Mbit/s", 10, 100 * MEGABIT),
  link("wifi", "Wi-Fi, 5 ms round trip, 400 Mbit/s", 2.5, 400 * MEGABIT),
  link("gigabit", "Gigabit Ethernet", 0.1, 1000 * MEGABIT * TCP_OVER_ETHERNET),
  link("2.5g", "2.5 Gbit/s Ethernet", 0.08, 2500 * MEGABIT * TCP_OVER_ETHERNET),
  link("10g", "10 Gbit/s Ethernet", 0.05, 10_000 * MEGABIT * TCP_OVER_ETHERNET),
  link("thunderbolt", "Thunderbolt 4 or 5 by TCP, 20 Gbit/s", 0.15, 20_000 * MEGABIT),
  link("loopback", "loopback", 0, 4e9),
];
