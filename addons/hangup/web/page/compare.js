// Two connections side by side: in what their handshakes, their messages and their endings differ.

import { ApiError, getJson, Latest } from "./api.js";
import { comparable } from "./comparable.js";
import { arrow } from "./entrywords.js";
import { duration, ending, number, plural, size, visible } from "./format.js";
import { useStore } from "./store.js";
import { html, useEffect, useMemo, useState } from "./vendor/preact-htm.js";

/** @typedef {import("./store.js").Store} Store @typedef {import("./store.js").Connection} Connection */

/** Milliseconds between two comparisons of what is still open. */
const PAUSE = 1000;

/** @param {{store: Store, connection: Connection}} props */
export function CompareView({ store, connection }) {
  const { conn } = connection;
  const connections = useStore(store, (state) => state.connections);
  const wanted = useStore(store, (state) => state.other);
  const [strict, setStrict] = useState(false);
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState("");
  const offered = useMemo(() => comparable(connection, connections.values()), [conn, connections]);
  const other = (wanted !== null && wanted !== conn && connections.get(wanted)) || offered[0] || null;
  const asking = useMemo(
    () =>
      new Latest(async (/** @type {number} */ a, /** @type {number} */ b, /** @type {boolean} */ all) => {
        try {
          setFound({ ...(await getJson("compare", { conn: a, with: b, strict: all ? 1 : "" })), strict: all });
          setProblem("");
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          setProblem(error.message);
        }
      }, PAUSE),
    [],
  );
  useEffect(() => () => asking.close(), [asking]);
  useEffect(() => {
    if (other) asking.ask(conn, other.conn, strict);
  }, [connection, other, strict]);
  if (!other) return html`<p class="pane note">There is no other connection in this recording.</p>`;
  const known = found?.a === conn && found.b === other.conn && found.strict === strict ? found : null;
  const choices = offered.includes(other) ? offered : [other, ...offered];
  /** @param {any} event */
  const choose = (event) => store.set({ other: Number(event.currentTarget.value) });
  return html`<div class="pane compare" tabindex="0" role="region" aria-label="Comparison">
    <form class="compare-with" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <label><b class="only-a">A #${conn}</b> compared with <b class="only-b">B</b>${" "}
        <select value=${other.conn} onChange=${choose} title="You can also choose it by clicking a lane with Ctrl or ⌘">
          ${choices.map((each) => html`<option key=${each.conn} value=${each.conn}>#${each.conn} ${visible(each.path, 40)}, ${ending(each)}</option>`)}
        </select></label>
      <label><input type="checkbox" checked=${strict} onChange=${(/** @type {any} */ event) => setStrict(event.currentTarget.checked)} /> also compare times, ids and tokens</label>
    </form>
    ${problem && html`<p class="error" role="alert">${visible(problem, 300)}</p>`}
    ${known ? html`<${Found} store=${store} found=${known} a=${connection} b=${other} />` : html`<p class="note" role="status">Comparing…</p>`}
  </div>`;
}

/** @param {{store: Store, found: any, a: Connection, b: Connection}} props */
function Found({ store, found, a, b }) {
  const equal = found.equal.client + found.equal.server;
  return html`<p role="status">${found.same ? html`<b>Nothing differs.</b>` : html`<b>${summed(found)}</b>`} ${plural(equal, "message")} the same.</p>
    <${Sums} found=${found} a=${a} b=${b} />
    ${found.handshake.length > 0 &&
    html`<h3>Handshake</h3>
      <table class="differences"><caption class="visually-hidden">Differences in the handshakes</caption>
        <thead><tr><th scope="col">what</th><th scope="col">A</th><th scope="col">B</th></tr></thead>
        <tbody>${found.handshake.map(
          (/** @type {any} */ each, /** @type {number} */ index) => html`<tr key=${index}>
            <th scope="row">${each.where} <bdi>${visible(each.name, 80)}</bdi>${["case", "order"].includes(each.what) ? ` (${each.what})` : ""}</th>
            <td class="only-a"><${Value} of=${each.a} /></td><td class="only-b"><${Value} of=${each.b} /></td>
          </tr>`,
        )}</tbody>
      </table>`}
    ${found.messages.length > 0 &&
    html`<h3>Messages</h3>
      <ol class="differing">${found.messages.map((/** @type {any} */ each, /** @type {number} */ index) => html`<${Differing} key=${index} store=${store} each=${each} conns=${[found.a, found.b]} />`)}</ol>`}
    ${found.differing > found.messages.length && html`<p class="note">and ${number(found.differing - found.messages.length)} more: <code>hangup diff --json</code> shows all</p>`}
    ${!found.complete && html`<p class="note">There are too many messages to compare them all.</p>`}
    ${found.notes.length > 0 && html`<h3>Also</h3><ul>${found.notes.map((/** @type {string} */ note) => html`<li key=${note}>${visible(note, 300)}</li>`)}</ul>`}`;
}

/** @param {any} found */
function summed({ handshake, differing, ending: ends, notes }) {
  const parts = [
    handshake.length && `${plural(handshake.length, "difference")} in the handshake`,
    differing && plural(differing, "message") + (differing === 1 ? " differs" : " differ"),
    ends.same === false && "they ended differently",
    notes.length && plural(notes.length, "other difference"),
  ].filter(Boolean);
  return `${parts.join(", ")}.`;
}

/** @param {{found: any, a: Connection, b: Connection}} props */
function Sums({ found, a, b }) {
  const { timing, ending: ends } = found;
  /** @param {Connection} c @param {"client" | "server"} side */
  const sent = (c, side) => `${plural(c.frames[side], "frame")}, ${size(c.bytes[side])}`;
  /** @param {any} of */
  const lived = (of) => (of.lifetime === null ? "open to the end" : duration(of.lifetime));
  const rows = [
    ["path", visible(a.path, 120), visible(b.path, 120)],
    ["status", `${a.status ?? "no answer"}`, `${b.status ?? "no answer"}`],
    ["handshake", duration(timing.a.handshake), duration(timing.b.handshake)],
    ["open for", lived(timing.a), lived(timing.b)],
    ["client sent", sent(a, "client"), sent(b, "client")],
    ["server sent", sent(a, "server"), sent(b, "server")],
    ["ended", visible(ends.a.sentence || "", 300), visible(ends.b.sentence || "", 300)],
  ];
  return html`<table class="differences sums-of-both"><caption class="visually-hidden">Both connections</caption>
    <thead><tr><td></td><th scope="col" class="only-a">A #${a.conn}</th><th scope="col" class="only-b">B #${b.conn}</th></tr></thead>
    <tbody>${rows.map(([name, left, right]) => html`<tr key=${name} class=${name === "ended" && ends.same === false ? "differs" : ""}>
      <th scope="row">${name}</th><td><bdi>${left}</bdi></td><td><bdi>${name !== "open for" && left === right ? html`<span class="dim">the same</span>` : right}</bdi></td></tr>`)}</tbody>
  </table>`;
}

/** @param {{store: Store, each: any, conns: [number, number]}} props */
function Differing({ store, each, conns }) {
  /** @param {any} message @param {number} conn */
  const link = (message, conn) =>
    message && html`<button class="link" onClick=${() => store.select(conn, { n: message.n })}>#${conn} frame ${message.n}</button> `;
  return html`<li class=${each.side}>
    <span class="row-side" aria-label=${each.side}>${arrow(each.side)}</span> ${link(each.a, conns[0])}${link(each.b, conns[1])}
    ${each.kind === "changed"
      ? html`<ul class="places">${each.differences.map((/** @type {any} */ place, /** @type {number} */ index) => html`<li key=${index}>
          <code><bdi>${visible(place.path, 200)}</bdi></code> <span class="only-a"><${Value} of=${place.a} /></span> → <span class="only-b"><${Value} of=${place.b} /></span></li>`)}</ul>`
      : html`<span class="dim">only in ${each.kind === "only-a" ? "A" : "B"}</span> <span class=${each.kind}><${Value} of=${said(each.a ?? each.b)} /></span>`}
  </li>`;
}

/** @param {any} message */
const said = (message) => message.text ?? (message.base64 === undefined ? "" : `${message.opcode}, ${size(message.length)}`);

/** @param {{of: string | null}} props */
function Value({ of }) {
  return of === null ? html`<i class="dim">missing</i>` : html`<code><bdi>${visible(of, 400)}</bdi></code>`;
}
