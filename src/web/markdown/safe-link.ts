const SCHEMES: readonly string[] = ["http:", "https:", "mailto:"];

/** The address of a link as the browser may follow it; `null` for everything but web pages and mail. */
export function safeLink(href: string): string | null {
  try {
    // Without a base: an address without a scheme would lead to this node.
    const url = new URL(href);
    return SCHEMES.includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
