// All that happened on a connection, in order: the bar that filters it, and the list.

import { EntryCache, Search } from "./entrycache.js";
import { arrow, said, since, what } from "./entrywords.js";
import { FilterBar } from "./filterbar.js";
import { number, size, visible } from "./format.js";
import { List } from "./list.js";
import { useStore } from "./store.js";
import { timesOf } from "./times.js";
import { html, useEffect, useMemo, useReducer } from "./vendor/preact-htm.js";
import { EVERYTHING, narrows } from "./wanted.js";

const ROW = 22;

/** @param {{store: import("./store.js").Store, connection: import("./store.js").Connection}} props */
export function Entries({ store, connection }) {
  const conn = connection.conn;
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const wanted = useStore(store, (state) => state.filter);
  const cache = useMemo(() => new EntryCache(conn, () => redraw(0)), [conn]);
  const search = useMemo(() => (narrows(wanted) ? new Search(conn, wanted, () => redraw(0)) : null), [conn, wanted]);
  const selected = useStore(store, (state) => state.selected?.i ?? -1);
  const logs = useStore(store, (state) => state.logs);
  const times = useStore(store, timesOf);

  useEffect(() => () => cache.close(), [cache]);
  useEffect(() => () => search?.close(), [search]);
  // The connection is another object whenever something has happened on it.
  useEffect(() => cache.refresh(), [cache, connection, logs]);
  useEffect(() => void search?.run(cache.total), [search, cache.total]);

  const matches = search?.matches ?? null;
  const total = matches ? matches.length : cache.total;
  /** @param {number} index */
  const entryAt = (index) => (matches ? matches[index] : index);
  const at = selected < 0 ? -1 : matches ? find(matches, selected) : selected;
  // A citation may lead to what the filters hide.
  const hidden = matches !== null && selected >= 0 && at < 0 && !search?.searching;

  /** @param {number} first @param {number} last */
  const want = (first, last) => {
    if (matches) cache.wantListed(matches.slice(first, last));
    else cache.want(first, last);
  };

  return html`<div class="entries">
    <${FilterBar} label="Filter the entries" value=${wanted} set=${(/** @type {typeof wanted} */ filter) => store.set({ filter })} />
    <div class="entries-count" role="status">
      ${search
        ? html`${number(total)} of ${number(cache.total)}${search.searching ? html`, searching… ${percent(search.upto, cache.total)}` : ""}`
        : ""}
      ${search?.error && html`<span class="error">${visible(search.error, 300)}</span>`}
      ${cache.problem && html`<span class="error">${visible(cache.problem, 300)}</span>`}
      ${hidden && html`<span class="note">Entry ${number(selected)} is not among these.
        <button class="link" onClick=${() => store.set({ filter: EVERYTHING })}>Show all</button></span>`}
    </div>
    <${List}
      id="entry"
      label=${`What happened on connection ${conn}`}
      total=${total}
      height=${ROW}
      selected=${at}
      select=${(/** @type {number} */ index) => store.select(conn, { i: entryAt(index) })}
      want=${want}
      follow=${connection.ended === null}
      leave=${() => store.select(conn)}
      of=${search ?? cache}
      row=${(/** @type {number} */ index, /** @type {Record<string, unknown>} */ place) =>
        html`<${Row} place=${place} i=${entryAt(index)} entry=${cache.get(entryAt(index))} opened=${connection.opened ?? connection.at} times=${times} />`}
    />
    ${cache.known && total === 0 && html`<p class="note pane">${search ? (search.searching ? "" : "Nothing matches.") : "Nothing has happened yet."}</p>`}
  </div>`;
}

/** @param {number} part @param {number} whole */
const percent = (part, whole) => (whole ? `${Math.floor((100 * part) / whole)} %` : "");

/** @param {number[]} sorted @param {number} wanted */
function find(sorted, wanted) {
  let [low, high] = [0, sorted.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] === wanted) return middle;
    if (sorted[middle] < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** @param {{place: any, i: number, entry: import("./entrycache.js").Entry | null, opened: number, times: import("./times.js").Times}} props */
function Row({ place, i, entry, opened, times }) {
  if (!entry) return html`<div ...${place} class="row waiting" aria-label=${`Entry ${i}, not read yet`}><span class="row-time">…</span></div>`;
  const problems = entry.problems ?? [];
  const kinds = ["row", entry.kind, entry.side, entry.opcode, entry.heartbeat && "beats", problems.length && "wrong"];
  return html`<div ...${place} class=${kinds.filter(Boolean).join(" ")}>
    <span class="row-time">${times.byClock ? times.moment(entry.at) : since(entry.at - opened)}</span>
    <span class="row-number">${entry.n ?? ""}</span>
    <span class="row-side" aria-label=${entry.side ?? ""}>${arrow(entry.side)}</span>
    <span class="row-opcode">${what(entry)}</span>
    <span class="row-size">${entry.length === undefined || entry.length === null ? "" : size(entry.length)}</span>
    <span class="row-text"><bdi>${said(entry)}</bdi></span>
    ${(entry.acted ?? []).map((acted) => html`<span class="chip proxy" key=${acted}>${visible(acted, 60)}</span>`)}
    ${problems.map((problem) => html`<span class="chip bad" key=${problem}>${visible(problem, 60)}</span>`)}
  </div>`;
}
