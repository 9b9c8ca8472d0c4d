// The search among all connections: what is looked for, and what was found, by connection.

import { ApiError, getJson } from "./api.js";
import { arrow, parted, said, since, what } from "./entrywords.js";
import { FilterBar } from "./filterbar.js";
import { number, plural, visible } from "./format.js";
import { Hits } from "./hits.js";
import { List } from "./list.js";
import { useStore } from "./store.js";
import { timesOf } from "./times.js";
import { html, useEffect, useMemo, useReducer, useRef, useState } from "./vendor/preact-htm.js";
import { asParams, narrows } from "./wanted.js";

const ROW = 22;

/** @typedef {import("./wanted.js").Wanted} Wanted */

/** One search, in slices of the server's; goes on where it stopped when more has come. */
class SearchOfAll {
  /** @param {Wanted} wanted @param {() => void} changed */
  constructor(wanted, changed) {
    this.wanted = wanted;
    this.changed = changed;
    this.hits = new Hits();
    this.upto = 0;
    this.of = 0;
    this.searching = false;
    this.closed = false;
    this.error = "";
  }

  async run() {
    if (this.searching || this.closed || this.error) return;
    this.searching = true;
    try {
      /** @type {number | null} */
      let from = this.upto;
      while (from !== null && !this.closed) {
        const answer = await getJson("search", { ...asParams(this.wanted), from });
        if (this.closed) return;
        this.hits.add(answer.found);
        this.error = answer.error ?? "";
        [this.upto, this.of, from] = [answer.upto, answer.of, answer.next];
        this.changed();
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    } finally {
      this.searching = false;
      if (!this.closed) this.changed();
    }
  }

  close() {
    this.closed = true;
  }
}

/** @param {{store: import("./store.js").Store}} props */
export function SearchPanel({ store }) {
  const wanted = useStore(store, (state) => state.search);
  const indexed = useStore(store, (state) => state.indexed);
  const selected = useStore(store, (state) => state.selected);
  useStore(store, (state) => state.times);
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const box = useRef(/** @type {any} */ (null));
  const search = useMemo(() => (narrows(wanted) ? new SearchOfAll(wanted, () => redraw(0)) : null), [wanted]);
  useEffect(() => () => search?.close(), [search]);
  useEffect(() => void search?.run(), [search, indexed]);
  // Who opens it wants to write.
  useEffect(() => box.current?.querySelector("[aria-label='Text']")?.focus(), []);
  const rows = search?.hits.rows ?? [];
  const [at, setAt] = useState(-1);
  useEffect(() => setAt(-1), [search]);
  /** @param {number} index */
  const choose = (index) => {
    const { conn, entry, more } = rows[index];
    setAt(index);
    if (!conn) return;
    if (more) store.set({ filter: wanted, view: "frames" });
    if (more || !entry) store.select(conn);
    else store.select(conn, { i: entry.i });
  };
  return html`<div class="search-panel" ref=${box}>
    <${FilterBar} label="Search all connections" value=${wanted} set=${(/** @type {Wanted} */ next) => store.set({ search: next })} />
    <p class="entries-count" role="status">${search && told(search)} ${search?.error && html`<span class="error">${visible(search.error, 300)}</span>`}</p>
    ${!search && html`<p class="note pane">Searches the handshakes, frames and backend log of all connections, for a text or a JSON condition.</p>`}
    ${search &&
    html`<${List}
      id="hit"
      label="Results by connection"
      total=${rows.length}
      height=${ROW}
      selected=${at >= 0 && rows[at]?.conn === selected?.conn ? at : -1}
      select=${choose}
      want=${() => {}}
      follow=${false}
      of=${search}
      row=${(/** @type {number} */ index, /** @type {Record<string, unknown>} */ place) =>
        html`<${Row} store=${store} place=${place} row=${rows[index]} needle=${wanted.text} />`}
    />`}
  </div>`;
}

/** @param {SearchOfAll} search */
function told({ hits, searching, upto, of, error }) {
  if (error) return "";
  if (!of) return "Searching…";
  const progress = searching && of ? `, searching… ${Math.floor((100 * upto) / of)} %` : "";
  return hits.count ? `${number(hits.count)} in ${plural(hits.found.size, "connection")}${progress}` : searching ? `Searching…${progress.slice(12)}` : "Nothing matches.";
}

/** @param {{store: import("./store.js").Store, place: any, row: import("./hits.js").Row, needle: string}} props */
function Row({ store, place, row: { conn, count, entry, more }, needle }) {
  const connection = store.state.connections.get(conn);
  if (more) return html`<div ...${place} class="row hit-more"><span>${number(more)} more in #${conn}</span></div>`;
  if (!entry) {
    return html`<div ...${place} class="row hit-conn"><b>${conn ? `#${conn}` : "the backend's log"}</b>
      <span class="row-text"><bdi>${visible(connection?.path ?? "", 200)}</bdi></span><span class="dim">${number(count)}</span></div>`;
  }
  const times = timesOf(store.state);
  const opened = connection?.opened ?? connection?.at ?? 0;
  return html`<div ...${place} class=${["row", entry.kind, entry.side, entry.opcode, entry.heartbeat && "beats"].filter(Boolean).join(" ")}>
    <span class="row-time">${times.byClock || !conn ? times.moment(entry.at) : since(entry.at - opened)}</span>
    <span class="row-side" aria-label=${entry.side ?? ""}>${arrow(entry.side)}</span>
    <span class="row-opcode">${what(entry)}</span>
    <span class="row-text"><bdi>${parted(said(entry), needle).map((part, index) => (index % 2 ? html`<mark>${part}</mark>` : part))}</bdi></span>
  </div>`;
}
