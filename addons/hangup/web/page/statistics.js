// A connection in figures: what each side sent, of which kinds, and how long its pings took to be answered.

import { ApiError, getJson, Latest } from "./api.js";
import { arrow } from "./entrywords.js";
import { duration, number, plural, size, until, visible } from "./format.js";
import { HEIGHT, laidOut, nearestPoint, WIDTH } from "./pingplot.js";
import { useStore } from "./store.js";
import { html, useEffect, useMemo, useState } from "./vendor/preact-htm.js";
import { EVERYTHING } from "./wanted.js";

/** Milliseconds between two questions about what is still open: all of it is counted anew. */
const PAUSE = 2000;

/** @typedef {import("./store.js").Store} Store @typedef {import("./store.js").Connection} Connection */

/** @param {{store: Store, connection: Connection}} props */
export function StatisticsView({ store, connection }) {
  const { conn } = connection;
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState("");
  const asking = useMemo(
    () =>
      new Latest(async (/** @type {number} */ which) => {
        try {
          setFound(await getJson("statistics", { conn: which }));
          setProblem("");
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          setProblem(error.message);
        }
      }, PAUSE),
    [],
  );
  useEffect(() => () => asking.close(), [asking]);
  useEffect(() => asking.ask(conn), [connection]);
  const known = found?.conn === conn ? found : null;
  return html`<div class="pane statistics" tabindex="0" role="region" aria-label="Statistics">
    ${problem && html`<p class="error" role="alert">${visible(problem, 300)}</p>`}
    ${!known && !problem && html`<p class="note" role="status">Counting…</p>`}
    ${known && html`<${Sides} known=${known} connection=${connection} now=${store.state.now} />
      ${known.pings.map((/** @type {any} */ each) => html`<${Pings} key=${each.side + each.level} store=${store} of=${each} connection=${connection} />`)}
      ${known.pings.length === 0 && html`<p class="note">Neither side sent a ping or a heartbeat.</p>`}
      <${Kinds} store=${store} known=${known} />`}
  </div>`;
}

/** @param {{known: any, connection: Connection, now: number}} props */
function Sides({ known, connection, now }) {
  const { client, server } = known.sides;
  const lived = connection.opened === null ? 0 : until(connection, now) - connection.opened;
  /** @param {any} side */
  const frames = (side) => Object.entries(side.opcodes).map(([opcode, count]) => `${number(/** @type {any} */ (count))} ${visible(opcode, 20)}`).join(", ") || "none";
  /** @param {(side: any) => string} cell @returns {[string, string]} */
  const both = (cell) => [cell(client), cell(server)];
  /** @param {number} count */
  const rate = (count) => (lived > 0 ? `${(count / lived).toFixed(count / lived < 10 ? 1 : 0)} a second` : "–");
  const rows = /** @type {[string, [string, string]][]} */ ([
    ["messages", both((side) => number(side.messages))],
    ["on average", both((side) => rate(side.messages))],
    ["in all", both((side) => size(side.bytes))],
    ["median size", both((side) => (side.median === null ? "–" : size(side.median)))],
    ["largest", both((side) => (side.largest === null ? "–" : size(side.largest)))],
    ["frames", both(frames)],
  ]);
  return html`<table class="differences"><caption class="visually-hidden">What each side sent</caption>
    <thead><tr><td></td><th scope="col" class="client">client →</th><th scope="col" class="server">server ←</th></tr></thead>
    <tbody>${rows.map(([name, cells]) => html`<tr key=${name}><th scope="row">${name}</th>${cells.map((cell, index) => html`<td key=${index}>${cell}</td>`)}</tr>`)}</tbody>
  </table>`;
}

/** @param {{store: Store, of: any, connection: Connection}} props */
function Pings({ store, of, connection }) {
  const from = connection.opened ?? connection.at;
  const { side, level, sent, answered, waiting, median, slowest, trips } = of;
  const other = side === "client" ? "server" : "client";
  const what = level === "control" ? "ping" : "heartbeat";
  const plot = useMemo(() => laidOut(trips, waiting, from, until(connection, store.state.now)), [of, connection]);
  const told = answered ? `median ${duration(median)}, slowest ${duration(slowest)}` : "";
  const words = [`${plural(sent, what)} of the ${side}`, `${number(answered)} answered by the ${other}`, told].filter(Boolean).join("; ");
  /** @param {any} event */
  const choose = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const scale = WIDTH / box.width;
    const point = nearestPoint([...plot.points, ...plot.lost], (event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
    if (point) store.select(connection.conn, { n: point.n });
  };
  const last = trips.reduce((/** @type {any} */ most, /** @type {any} */ trip) => (!most || trip[1] > most[1] ? trip : most), null);
  return html`<h3>Round trips of the ${side}'s ${what}s</h3>
    <p>${words}${last && html` (<button class="link" onClick=${() => store.select(connection.conn, { n: last[2] })}>frame ${last[2]}</button>)`}</p>
    <svg class="ping-plot" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`Over time: ${words}`} onClick=${choose}>
      ${plot.across.map((line) => html`<g key=${line.y}><path class="grid" d=${`M${line.x} ${line.y}H${plot.right}`} /><text x=${line.x - 5} y=${line.y + 3.5} text-anchor="end">${line.words}</text></g>`)}
      ${plot.down.map((line) => html`<text key=${line.x} x=${line.x} y=${plot.bottom + 14} text-anchor="middle">${line.words}</text>`)}
      ${plot.points.map((point) => html`<circle class="trip" key=${point.n} cx=${point.x} cy=${point.y} r="2.5"><title>${point.words}</title></circle>`)}
      ${plot.lost.map((point) => html`<path class="lost" key=${point.n} d=${`M${point.x - 3.5} ${point.y - 3.5}l7 7m0-7l-7 7`}><title>${point.words}</title></path>`)}
    </svg>`;
}

/** @param {{store: Store, known: any}} props */
function Kinds({ store, known }) {
  if (!known.kinds.length) return null;
  /** @param {any} each */
  const filter = ({ kind, side }) => {
    store.select(known.conn);
    store.set({ filter: { ...EVERYTHING, kind, side }, view: "frames" });
  };
  return html`<h3>Kinds of messages</h3>
    <table class="differences kinds"><caption class="visually-hidden">Kinds of messages</caption>
      <thead><tr><th scope="col">kind</th><th scope="col">messages</th><th scope="col">in all</th></tr></thead>
      <tbody>${known.kinds.map(
        (/** @type {any} */ each) => html`<tr key=${each.side + each.kind} class=${each.side}>
          <td><span class="row-side" aria-label=${each.side}>${arrow(each.side)}</span>
            <button class="link mono" title="Filter this kind" onClick=${() => filter(each)}><bdi>${visible(each.kind, 80)}</bdi></button></td>
          <td>${number(each.count)}</td><td>${size(each.bytes)}</td></tr>`,
      )}</tbody>
    </table>
    ${known.other_kinds > 0 && html`<p class="note">and ${plural(known.other_kinds, "other kind")}</p>`}`;
}
