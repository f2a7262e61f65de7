import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { ErrorBoundary } from "./error-boundary.js";
import { Navigation } from "./navigation.js";
import { NoticeList } from "./notices.js";
import { FIRST_VIEW, toHash } from "./route.js";
import type { AppState } from "./state.js";
import { ThemeSwitch } from "./theme-switch.js";
import { ViewOutlet } from "./view-outlet.js";
import { VIEWS, type ViewEntry } from "./views.js";

/** Everything around a view: the bar with the navigation, notices, and what goes wrong. */
export function Shell({ app }: { app: AppState }) {
  const { view } = app.route.value;
  const entry = VIEWS.find(({ id }) => id === view);
  const main = useFocusOnChange(view, entry);
  const skip = (event: Event): void => {
    event.preventDefault();
    main.current?.focus();
  };
  return html`<div class=${entry?.fills === true ? "page page-fills" : "page"}>
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="bar">
      <a class="brand" href=${toHash(FIRST_VIEW)}><img src="/favicon.svg" alt="" width="22" height="22" />exo-native</a>
      <${Navigation} current=${view} />
      <${ThemeSwitch} app=${app} />
    </header>
    <main id="main" class="view" tabindex="-1" ref=${main}>
      <${ErrorBoundary} of=${view}>
        ${entry === undefined ? html`<${Nowhere} />` : html`<${ViewOutlet} key=${view} app=${app} entry=${entry} />`}
      <//>
    </main>
    <${NoticeList} notices=${app.notices} />
  </div>`;
}

/** Names the view in the title, and after the first one takes the focus there, as a page's load would. */
function useFocusOnChange(view: string, entry: ViewEntry | undefined) {
  const main = useRef<HTMLElement>(null);
  const before = useRef(view);
  useEffect(() => {
    document.title = entry === undefined ? "exo-native" : `${entry.title} · exo-native`;
    if (before.current !== view) main.current?.focus();
    before.current = view;
  }, [view]);
  return main;
}

function Nowhere() {
  return html`<h1>There is no such view</h1>
    <p>The address names a view that this page does not have. <a href=${toHash(FIRST_VIEW)}>Go to the chat</a>.</p>`;
}
