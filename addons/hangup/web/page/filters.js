// The filters of the running proxy: switched, written, put in each other's place. All of it takes effect at once.

import { ApiError, getJson, postJson } from "./api.js";
import { describedBy, FilterField, useCatalogue } from "./completion.js";
import { number, visible } from "./format.js";
import { useStore } from "./store.js";
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";

/** What is most often worth a try, by the names of what they are tried against. */
const FIRST = [
  ["drop-heartbeat side=client", "the application's heartbeats"],
  ['rewrite-heartbeat side=client to={"type":"ping"}', "the heartbeat's form"],
  ["answer-ping side=client level=message", "a server that does not answer"],
  ["drop-ping side=server", "the server's pings"],
  ["strip-header Sec-WebSocket-Extensions", "compression"],
  ["repair-malformed", "malformed frames and messages"],
  ["hold-open side=server", "a close that comes from the server"],
];

/** Milliseconds between two looks while the live socket is down. */
const POLL = 1000;

/** @typedef {import("./store.js").FilterState} FilterState */

/**
 * Does something to the filters and takes over how they are then.
 * @param {import("./store.js").Store} store
 * @param {string} action
 * @param {Record<string, unknown>} body
 * @returns {Promise<string>} what is wrong, or ""
 */
export async function changeFilters(store, action, body) {
  try {
    store.set({ filters: (await postJson(`filters/${action}`, body)).filters });
    return "";
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.message;
  }
}

/** @param {{store: import("./store.js").Store}} props */
export function FiltersPanel({ store }) {
  const filters = useStore(store, (state) => state.filters);
  const connected = useStore(store, (state) => state.connected);
  const known = useCatalogue();
  const [problem, setProblem] = useState("");
  const [said, setSaid] = useState("");
  const [text, setText] = useState("");
  const [refused, setRefused] = useState("");
  const [editing, setEditing] = useState(0);
  const list = useRef(/** @type {any} */ (null));
  /** What had the focus is gone: its neighbour has it then. @param {number} index @param {string} which */
  const focus = (index, which) =>
    requestAnimationFrame(() => {
      const rows = list.current?.children ?? [];
      rows[Math.min(index, rows.length - 1)]?.querySelector(which)?.focus();
    });

  useEffect(() => {
    const look = () => getJson("filters").then((answer) => store.set({ filters: answer.filters }), () => {});
    look();
    if (connected) return;
    const timer = setInterval(look, POLL);
    return () => clearInterval(timer);
  }, [connected]);

  /** @param {string} action @param {Record<string, unknown>} body @param {string} words */
  const change = async (action, body, words) => {
    const wrong = await changeFilters(store, action, body);
    setProblem(wrong);
    if (!wrong) setSaid(words);
    return wrong;
  };
  const add = async (/** @type {string} */ filter) => {
    if (!filter.trim()) return;
    const wrong = await changeFilters(store, "add", { filter });
    setRefused(wrong);
    if (wrong) return;
    setSaid(`added and on: ${filter}`);
    setText("");
  };
  const there = new Set(filters.map((each) => each.filter));
  const first = FIRST.filter(([filter]) => !there.has(filter));
  return html`<div class="pane filters-panel">
    <p class="note">Each filter makes one change to the traffic. They apply in this order, from the next frame on.</p>
    ${problem && html`<p class="error" role="alert">${visible(problem, 500)}</p>`}
    <p class="visually-hidden" role="status">${said}</p>
    ${filters.length > 0 &&
    html`<ol class="filters" ref=${list}>
      ${filters.map((each, index) =>
        each.id === editing
          ? html`<${Edited} key=${each.id} entry=${each} store=${store} done=${() => (setEditing(0), focus(index, ".edit"))} />`
          : html`<${Entry} key=${each.id} entry=${each} summary=${describedBy(known, each.filter)?.summary ?? ""} change=${change}
              edit=${() => setEditing(each.id)} removed=${() => focus(index, ".switch")} />`,
      )}
    </ol>`}
    ${filters.length === 0 && html`<p class="empty">No filters: traffic passes unchanged.</p>`}
    <form class="add-filter" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), add(text))}>
      <${FilterField} value=${text} change=${(/** @type {string} */ now) => (setText(now), setRefused(""))} submit=${() => add(text)} refused=${refused}
        label="A filter to add" placeholder="drop-heartbeat side=client" />
      <button type="submit" class="primary" disabled=${!text.trim()}>Add</button>
    </form>
    ${first.length > 0 &&
    html`<details class="first" open=${filters.length === 0}>
      <summary>Worth a try</summary>
      <ul>
        ${first.map(
          ([filter, against]) => html`<li key=${filter}>
            <button class="link mono" title="Add it, switched on" onClick=${() => add(filter)}>${filter}</button>
            <span class="dim">is it ${against}?</span>
          </li>`,
        )}
      </ul>
    </details>`}
    ${known && html`<${All} known=${known} choose=${setText} />`}
  </div>`;
}

/**
 * @param {{
 *   entry: FilterState, summary: string, edit: () => void, removed: () => void,
 *   change: (action: string, body: Record<string, unknown>, words: string) => Promise<string>,
 * }} props
 */
function Entry({ entry, summary, edit, change, removed }) {
  const [busy, setBusy] = useState(false);
  const body = { filter: String(entry.id) };
  const shown = visible(entry.filter, 600);
  const toggle = async () => {
    setBusy(true);
    await change(entry.on ? "off" : "on", body, `${entry.on ? "off" : "on"}: ${entry.filter}`);
    setBusy(false);
  };
  const remove = async () => {
    if (!(await change("remove", body, `removed: ${entry.filter}`))) removed();
  };
  return html`<li class=${entry.on ? "on" : "off"}>
    <button class="switch" role="switch" aria-checked=${entry.on ? "true" : "false"} aria-label=${entry.name || shown} aria-busy=${busy ? "true" : "false"} onClick=${toggle}>
      <span class="knob" aria-hidden="true"></span>
    </button>
    <div class="what">
      ${entry.name && html`<span class="chip">${visible(entry.name, 80)}</span> `}<code><bdi>${shown}</bdi></code>
      ${summary && html`<div class="dim">${summary}</div>`}
    </div>
    <span class="hits" title="How often it acted">${entry.hits ? html`<b>${number(entry.hits)}</b>×` : html`<span class="dim">not yet</span>`}</span>
    <span class="does">
      <button class="quiet edit" aria-label=${`Edit ${shown}`} onClick=${edit}>Edit</button>
      <button class="quiet" aria-label=${`Remove ${shown}`} onClick=${remove}>Remove</button>
    </span>
  </li>`;
}

/** @param {{entry: FilterState, store: import("./store.js").Store, done: () => void}} props */
function Edited({ entry, store, done }) {
  const [text, setText] = useState(entry.filter);
  const [refused, setRefused] = useState("");
  const save = async () => {
    if (text.trim() === entry.filter) return done();
    const wrong = await changeFilters(store, "edit", { filter: String(entry.id), to: text });
    setRefused(wrong);
    if (!wrong) done();
  };
  return html`<li class="editing">
    <form onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), save())}>
      <${FilterField} value=${text} change=${setText} submit=${save} cancel=${done} refused=${refused} label=${`Edit ${visible(entry.filter, 200)}`} focus />
      <span class="does">
        <button type="submit" class="primary">Save</button>
        <button type="button" class="quiet" onClick=${done}>Cancel</button>
      </span>
    </form>
  </li>`;
}

/** @param {{known: import("./completion.js").Catalogue, choose: (text: string) => void}} props */
function All({ known, choose }) {
  const top = useRef(/** @type {any} */ (null));
  const take = (/** @type {string} */ example) => {
    choose(example);
    top.current?.closest(".filters-panel")?.querySelector(".add-filter input")?.focus();
  };
  return html`<details class="all" ref=${top}>
    <summary>All filters</summary>
    ${known.groups.map(
      (group) => html`<section key=${group.name}>
        <h3>${group.name}</h3>
        <dl>
          ${group.filters.map(
            (each) => html`<dt key=${each.name}><code>${each.name}</code></dt>
              <dd>
                ${each.summary}
                <div><button class="link mono" title="Copy it into the field above" onClick=${() => take(each.example)}>${each.example}</button></div>
              </dd>`,
          )}
        </dl>
      </section>`,
    )}
  </details>`;
}
