// The page: its parts beside and below each other.

import { keepAddress } from "./address.js";
import { ConnectionView } from "./connection.js";
import { Drawer } from "./drawer.js";
import { follow } from "./following.js";
import { Header } from "./header.js";
import { closeMenus } from "./menus.js";
import { Notices, watch } from "./noticing.js";
import { Splitter } from "./splitter.js";
import { Store, useStore } from "./store.js";
import { Timeline } from "./timeline.js";
import { html, render, useEffect, useRef } from "./vendor/preact-htm.js";

/** @param {{store: Store}} props */
function Page({ store }) {
  const tab = useStore(store, (state) => state.tab);
  const main = useRef(/** @type {any} */ (null));
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const key = (event) => {
      const writing = /** @type {HTMLElement} */ (event.target).closest("input, select, textarea");
      if (event.key !== "/" || writing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      store.set({ tab: "search" });
      /** @type {HTMLElement | null} */ (document.querySelector(".search-panel [aria-label='Text']"))?.focus();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, [store]);
  useEffect(closeMenus, []);
  const enter = () => main.current?.querySelector(".connection .list")?.focus();
  return html`<div class=${`page ${tab ? "with-drawer" : ""}`}>
    <${Header} store=${store} />
    <main ref=${main} class="main">
      <${Timeline} store=${store} enter=${enter} />
      <${Splitter} of=${main} />
      <${ConnectionView} store=${store} />
    </main>
    <${Drawer} store=${store} />
    <${Notices} store=${store} />
  </div>`;
}

const store = new Store();
// Wide enough for both: the verdict is what people come for.
keepAddress(store, matchMedia("(min-width: 1200px)").matches ? "why" : null);
render(html`<${Page} store=${store} />`, /** @type {HTMLElement} */ (document.getElementById("page")));
watch(store);
follow(store);
