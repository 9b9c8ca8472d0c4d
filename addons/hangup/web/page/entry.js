// The entry that is selected: what it says, and what is wrong with it.

import { ApiError, getJson, Latest } from "./api.js";
import { precise, size, visible } from "./format.js";
import { CloseIcon } from "./icons.js";
import { Payload } from "./payload.js";
import { useStore } from "./store.js";
import { timesOf } from "./times.js";
import { html, useEffect, useMemo, useState } from "./vendor/preact-htm.js";
import { EVERYTHING } from "./wanted.js";

/** The kinds of events that have something to be read. */
const SAYS = new Set(["frame", "part", "raw", "log"]);

/** @param {{store: import("./store.js").Store, connection: import("./store.js").Connection}} props */
export function EntryView({ store, connection }) {
  const selected = useStore(store, (state) => state.selected);
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  const [awaited, setAwaited] = useState(false);
  const indexed = useStore(store, (state) => (awaited ? state.indexed : 0));
  const asking = useMemo(
    () =>
      new Latest(async (/** @type {number} */ conn, /** @type {number | null} */ i, /** @type {number | null} */ n) => {
        try {
          const answer = await getJson("entry", { conn, i, n: i === null ? n : null });
          const now = store.state.selected;
          if (now?.conn !== conn || (now.i ?? now.n) !== (i ?? n)) return;
          setProblem(null);
          setAwaited(false);
          const entry = { ...answer, conn }; // of a log line it may be another
          setFound(entry);
          identify(store, entry);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          // It may not have been read yet.
          setAwaited(error.status === 404 && !store.state.complete);
          setProblem(error.message);
        }
      }),
    [store],
  );
  useEffect(() => () => asking.close(), [asking]);
  const { conn, i, n } = selected ?? { conn: 0, i: null, n: null };
  useEffect(() => {
    const known = found?.conn === conn && (i !== null ? found.i === i : found.kind === "frame" && found.n === n);
    if (known) identify(store, found);
    else if (i !== null || n !== null) asking.ask(conn, i, n);
  }, [conn, i, n, indexed]);

  if (i === null && n === null) return null;
  // Until the next has come, the one before stays.
  const entry = found && found.conn === conn ? found : null;
  return html`<aside class="entry" aria-label="The selected entry" aria-busy=${entry?.i === i ? "false" : "true"}>
    <header>
      <h3>${entry ? title(entry) : "…"}</h3>
      <button class="quiet" title="Close (Escape)" aria-label="Close the entry" onClick=${() => store.select(conn)}><${CloseIcon} /></button>
    </header>
    ${problem && html`<p class="error">${visible(problem, 300)}</p>`} ${entry && html`<${Body} store=${store} entry=${entry} connection=${connection} />`}
  </aside>`;
}

/**
 * Completes the selection, where it still is this entry: the list knows it by its index, a link by its number as a frame.
 * @param {import("./store.js").Store} store
 * @param {any} entry
 */
function identify(store, entry) {
  const { selected } = store.state;
  const n = entry.kind === "frame" ? entry.n : null;
  if (!selected || selected.conn !== entry.conn || (selected.i === entry.i && selected.n === n)) return;
  const same = selected.i === null ? n !== null && selected.n === n : selected.i === entry.i;
  if (same) store.set({ selected: { ...selected, i: entry.i, n } });
}

const HOWS = { fin: "FIN", rst: "RST", timeout: "timeout", error: "error" };

/** @param {any} entry */
function title(entry) {
  const who = entry.side ? `${entry.side} ` : "";
  if (entry.kind === "frame") return `${who}frame ${entry.n}: ${visible(entry.opcode, 60)}${entry.heartbeat ? ", a heartbeat" : ""}`;
  const names = { handshake: "handshake", raw: `${who}bytes that are no frame`, end: `${who}${HOWS[/** @type {keyof typeof HOWS} */ (entry.how)] ?? "end"}`, log: "backend log", filter: "filter", note: "note" };
  return names[/** @type {keyof typeof names} */ (entry.kind)] ?? entry.kind;
}

/** The kind of a message, and the others of it. @param {{store: import("./store.js").Store, kind: string}} props */
function Kind({ store, kind }) {
  const on = useStore(store, (state) => state.filter.kind === kind);
  const alone = useStore(store, (state) => state.alone);
  const filter = () => store.set({ filter: on ? EVERYTHING : { ...EVERYTHING, kind } });
  const search = () => store.set({ search: { ...EVERYTHING, kind }, tab: "search" });
  return html`<p class="message-kind">kind <code><bdi>${visible(kind, 120)}</bdi></code>
    <button aria-pressed=${on ? "true" : "false"} onClick=${filter}>Filter this kind</button>
    ${!alone && html`<button class="quiet" onClick=${search}>in all connections</button>`}</p>`;
}

/** @param {{store: import("./store.js").Store, entry: any, connection: import("./store.js").Connection}} props */
function Body({ store, entry, connection }) {
  useStore(store, (state) => state.times);
  const since = connection.opened === null ? "" : `${precise(entry.at - connection.opened)} after it opened`;
  const before = connection.ended !== null && connection.ended >= entry.at ? `${precise(connection.ended - entry.at)} before it ended` : "";
  const facts = [
    ["at", [timesOf(store.state).moment(entry.at, 1e-6), since, before].filter(Boolean).join(", ")],
    entry.length !== undefined && entry.length !== null && ["length", size(entry.length)],
    entry.fin === false && ["fin", "0, more fragments follow"],
    entry.rsv && ["rsv", `${entry.rsv}${entry.rsv & 4 ? ", compressed" : ""}`],
    entry.mask && ["mask", entry.mask],
    entry.code && ["code", `${entry.code}`],
    entry.reason && ["reason", entry.reason],
    entry.filter && ["filter", entry.filter],
    entry.action && ["action", entry.action],
    entry.by && ["by", entry.by],
    entry.note && ["note", entry.note],
    ...(entry.acted ?? []).map((/** @type {any} */ each) => ["filter", each.text]),
    (entry.words || (entry.text && !SAYS.has(entry.kind))) && ["in words", entry.words ?? entry.text],
  ].filter(Boolean);
  return html`<div class="entry-body">
    ${entry.problems.length > 0 &&
    html`<ul class="problems" aria-label="Problems">${entry.problems.map((/** @type {any} */ each) => html`<li key=${each.name}>${visible(each.text, 600)}</li>`)}</ul>`}
    <dl class="facts">
      ${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd><bdi>${visible(String(value), 2000)}</bdi></dd></div>`)}
    </dl>
    ${entry.message_length && html`<p class="note">The whole message has ${size(entry.message_length)}, too much to be kept${
      entry.rsv & 4 ? " inflated" : ""}: this is what the frame has on the wire.</p>`}
    ${entry.left_compressed && html`<p class="note">The message is left compressed: it, or a message that it refers to, inflates to far
      more than was on the wire. This is what the frame has on the wire.</p>`}
    ${entry.truncated && html`<p class="note">Only the beginning${entry.size ? ` of ${size(entry.size)}` : ""} is shown; the recording has it all.</p>`}
    ${entry.message_kind && html`<${Kind} store=${store} kind=${entry.message_kind} />`}
    ${SAYS.has(entry.kind) && html`<${Payload} text=${entry.text ?? null} base64=${entry.base64 ?? null} />`}
  </div>`;
}
