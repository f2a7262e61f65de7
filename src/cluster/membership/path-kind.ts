/** What kind of interface the way to a peer goes out through. */
export type PathKind = "loopback" | "thunderbolt" | "wired" | "wifi" | "virtual" | "tunnel";

const ORDER: readonly PathKind[] = ["loopback", "thunderbolt", "wired", "wifi", "virtual", "tunnel"];

/** The lower, the better, where nothing was measured or two ways take equally long. An unknown one is as good as Wi-Fi. */
export function rankOfKind(kind: PathKind | null): number {
  return ORDER.indexOf(kind ?? "wifi");
}
