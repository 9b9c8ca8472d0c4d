// The page's address and its state: each follows the other.

import { fromHash, toHash } from "./permalink.js";

/** Milliseconds between two changes of the address: browsers refuse to change it all the time. */
const PAUSE = 250;

/**
 * Goes to where the address says, and keeps it true from then on.
 * @param {import("./store.js").Store} store
 * @param {string | null} panel the one that is open where the address names none
 */
export function keepAddress(store, panel) {
  /** @type {any} */
  let timer = 0;
  let followed = store.state.selected;

  const go = () => {
    const { conn, i, n, panel: named, ...rest } = fromHash(location.hash);
    followed = conn === null ? store.state.selected : { conn, i, n, quietly: false };
    store.set({ selected: followed, tab: named === "none" ? null : named || panel, ...rest });
  };
  const write = () => {
    clearTimeout(timer);
    timer = 0;
    const hash = toHash(placeOf(store.state, panel));
    if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname + location.search);
  };
  const changed = () => {
    const { selected } = store.state;
    // A frame that is known by its number alone is one that something on the page referred to: back leads back.
    if (selected && selected !== followed && selected.i === null && selected.n !== null) {
      history.pushState(null, "", toHash(placeOf(store.state, panel)));
    }
    followed = selected;
    timer ||= setTimeout(write, PAUSE);
  };

  go();
  addEventListener("popstate", go);
  store.subscribe(changed);
}

/**
 * @param {import("./store.js").State} state
 * @param {string | null} panel
 * @returns {import("./permalink.js").Place}
 */
function placeOf({ selected, tab, view, filter, search, other, times }, panel) {
  const { conn = null, i = null, n = null } = selected ?? {};
  return { conn, i, n, view, panel: tab === panel ? "" : tab ?? "none", filter, search, other, times };
}
