/** Sixteen hexadecimal digits. `crypto.randomUUID` is only there on HTTPS and loopback, and nodes are asked over a LAN. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
