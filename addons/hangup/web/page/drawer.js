// The panels at the right, each loaded when it is first looked at.

import { CloseIcon } from "./icons.js";
import { useStore } from "./store.js";
import { Tabs } from "./tabs.js";
import { html, useEffect, useState } from "./vendor/preact-htm.js";

/** @type {Record<string, {words: string, load: () => Promise<any>, drives: boolean}>} */
const PANELS = {
  why: { words: "Why", load: async () => (await import("./why.js")).WhyPanel, drives: false },
  search: { words: "Search", load: async () => (await import("./search.js")).SearchPanel, drives: false },
  filters: { words: "Filters", load: async () => (await import("./filters.js")).FiltersPanel, drives: true },
  test: { words: "Test Connection", load: async () => (await import("./testing.js")).TestPanel, drives: true },
  bisect: { words: "Bisect", load: async () => (await import("./bisecting.js")).BisectPanel, drives: true },
};

/** @param {{store: import("./store.js").Store}} props */
export function Drawer({ store }) {
  const tab = useStore(store, (state) => state.tab);
  const readonly = useStore(store, (state) => state.readonly);
  const filters = useStore(store, (state) => state.filters);
  const bisect = useStore(store, (state) => state.bisect);
  const [loaded, setLoaded] = useState(/** @type {Record<string, any>} */ ({}));
  const names = Object.keys(PANELS).filter((name) => !PANELS[name].drives || !readonly);
  const chosen = tab && names.includes(tab) ? tab : "why";
  useEffect(() => {
    if (!tab || loaded[chosen]) return;
    PANELS[chosen].load().then(
      (panel) => setLoaded((now) => ({ ...now, [chosen]: { panel: panel ?? Absent } })),
      () => setLoaded((now) => ({ ...now, [chosen]: { panel: Absent } })),
    );
  }, [tab, chosen]);
  if (!tab) return null;
  const on = filters.filter((each) => each.on).length;
  /** @param {string} name */
  const words = (name) => {
    if (name === "filters" && on) return html`Filters <span class="chip proxy">${on} on</span>`;
    if (name === "bisect" && bisect && !["idle", "done"].includes(bisect)) return html`Bisect <span class="dot"></span>`;
    return PANELS[name].words;
  };
  const panel = loaded[chosen]?.panel;
  return html`<aside class="drawer" aria-label="Panels">
    <div class="drawer-head">
      <${Tabs} label="Panels" chosen=${chosen} choose=${(/** @type {string} */ name) => store.set({ tab: name })}
        tabs=${names.map((name) => [name, words(name)])} controls="panel" />
      <button class="quiet" aria-label="Close the panels" title="Close the panels" onClick=${() => store.set({ tab: null })}><${CloseIcon} /></button>
    </div>
    <div class="drawer-body" id="panel" role="tabpanel" aria-label=${PANELS[chosen].words} tabindex="-1">
      ${panel && html`<${panel} key=${chosen} store=${store} />`}
    </div>
  </aside>`;
}

function Absent() {
  return html`<p class="note pane">This panel could not be loaded.</p>`;
}
