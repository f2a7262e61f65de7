/** Where the reader is: `#/traces/abc` is the view `traces` with the rest `["abc"]`. */
export interface Route {
  readonly view: string;
  readonly rest: readonly string[];
}

export const FIRST_VIEW = "chat";

export function parseHash(hash: string): Route {
  const [view = "", ...rest] = hash
    .replace(/^#?\/?/, "")
    .split("/")
    .filter((part) => part !== "")
    .map(decode);
  return { view: view === "" ? FIRST_VIEW : view, rest };
}

export function toHash(view: string, ...rest: readonly string[]): string {
  return `#/${[view, ...rest].map(encodeURIComponent).join("/")}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
