// The line at the top: what is looked at, and how things stand.

import { apiUrl } from "./api.js";
import { size, visible } from "./format.js";
import { PanelIcon, SearchIcon } from "./icons.js";
import { titleOf } from "./notices.js";
import { useStore } from "./store.js";
import { html, useEffect } from "./vendor/preact-htm.js";

const FORMATS = [
  ["html", "report (one HTML file)"],
  ["jsonl", "hangup recording"],
  ["har", "HAR"],
  ["md", "Markdown"],
  ["pcapng", "pcapng"],
];

/** @param {{store: import("./store.js").Store}} props */
export function Header({ store }) {
  const header = useStore(store, (state) => state.header);
  const path = useStore(store, (state) => state.path);
  const live = useStore(store, (state) => state.live);
  const connected = useStore(store, (state) => state.connected);
  const filters = useStore(store, (state) => state.filters);
  const missed = useStore(store, (state) => state.missed);
  const problem = useStore(store, (state) => state.problem);
  const trouble = useStore(store, (state) => state.trouble);
  const notes = useStore(store, (state) => state.notes);
  const tab = useStore(store, (state) => state.tab);
  const reading = useStore(store, (state) => state.loaded && !state.complete && state.indexed < state.size && !(state.live && state.size - state.indexed < 1e6)
    ? Math.floor((100 * state.indexed) / state.size) : -1);
  const notices = useStore(store, (state) => state.notices);
  const looping = useStore(store, (state) => state.looping);
  useEffect(() => {
    const target = visible(header.target || path.split(/[\\/]/).pop() || "", 100);
    document.title = titleOf({ target, looping, notices });
  }, [header, path, looping, notices]);
  const on = filters.filter((each) => each.on).length;
  const standing = problem ? "not reachable" : live ? (!connected ? "connecting" : trouble ? "not recording" : "recording") : "recorded";
  return html`<header class="top">
    <h1>hangup</h1>
    <span class=${`state ${standing.replace(" ", "-")}`} role="status"><span class="dot"></span> ${standing}</span>
    ${header.target && html`<span class="target mono" title="The backend"><bdi>${visible(header.target, 200)}</bdi></span>`}
    <span class="path dim mono" title=${visible(path, 1000)}><bdi>${visible(path.split(/[\\/]/).pop() ?? "", 160)}</bdi></span>
    ${reading >= 0 && html`<span class="dim" role="status">reading, ${reading} % of ${size(store.state.size)}</span>`}
    ${missed && html`<span class="chip warn" role="status" title="The page fell behind and has caught up from the file">caught up after ${missed.events} missed events</span>`}
    ${trouble && html`<span class="chip bad" role="alert">not recorded: ${visible(trouble, 200)}</span>`}
    ${problem && html`<span class="chip bad" role="alert">${visible(problem, 200)}</span>`}
    ${notes.length > 0 && html`<details class="menu notes"><summary>${notes.length === 1 ? "1 note" : `${notes.length} notes`}</summary>
      <ul>${notes.map((note) => html`<li key=${note}>${visible(note, 500)}</li>`)}</ul></details>`}
    <span class="space"></span>
    ${on > 0 && html`<button class="quiet" onClick=${() => store.set({ tab: "filters" })}><span class="chip proxy">${on === 1 ? "1 filter on" : `${on} filters on`}</span></button>`}
    <button class="quiet" title="Search all connections (/)" onClick=${() => store.set({ tab: "search" })}><${SearchIcon} /> Search</button>
    <details class="menu export">
      <summary>Export</summary>
      <ul>${FORMATS.map(([format, words]) => html`<li key=${format}><a href=${apiUrl("export", { format })} download>${words}</a></li>`)}
        <li class="note">Without secrets.</li></ul>
    </details>
    <button class="quiet" aria-pressed=${tab ? "true" : "false"} title="Panels: why, filters, tests"
      onClick=${() => store.set({ tab: tab ? null : "why" })}><${PanelIcon} /> Panels</button>
  </header>`;
}
