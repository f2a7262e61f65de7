import { type ReadonlySignal, signal } from "@preact/signals";
import { parseHash, type Route } from "./route.js";

/** The route of the address bar, followed from now on. */
export function watchRoute(): ReadonlySignal<Route> {
  const route = signal(parseHash(location.hash));
  addEventListener("hashchange", () => {
    route.value = parseHash(location.hash);
  });
  return route;
}
