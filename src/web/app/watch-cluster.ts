import type { AppState } from "./state.js";

const MILLISECONDS = 3000;
/** While something loads or downloads, a reader watches. */
const BUSY_MILLISECONDS = 1000;

/** Keeps `app.cluster` and `app.models` up to date while the page is seen. */
export function watchCluster(app: AppState): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = async (): Promise<void> => {
    clearTimeout(timer);
    if (!document.hidden) await app.refresh();
    clearTimeout(timer);
    timer = setTimeout(() => void look(), isBusy(app) ? BUSY_MILLISECONDS : MILLISECONDS);
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void look();
  });
  void look();
}

function isBusy(app: AppState): boolean {
  const cluster = app.cluster.value;
  if (cluster === null) return false;
  return (
    cluster.rings.some(({ state }) => state === "loading") ||
    cluster.nodes.some(({ downloads }) => downloads.length > 0)
  );
}
