// One connection: how it ended, first and in a sentence; then its frames, its handshake and its ending in steps.

import { ApiError, apiUrl, getJson, Latest } from "./api.js";
import { CompareView } from "./compare.js";
import { Entries } from "./entries.js";
import { EntryView } from "./entry.js";
import { account, duration, lifetime, living, number, plural, size, visible } from "./format.js";
import { HandshakeView } from "./handshake.js";
import { StatisticsView } from "./statistics.js";
import { useStore } from "./store.js";
import { Tabs } from "./tabs.js";
import { timesOf } from "./times.js";
import { html, useEffect, useMemo, useState } from "./vendor/preact-htm.js";

/** @param {{store: import("./store.js").Store}} props */
export function ConnectionView({ store }) {
  const conn = useStore(store, (state) => state.selected?.conn ?? 0);
  const connection = useStore(store, () => store.connection);
  const view = useStore(store, (state) => state.view);
  const alone = useStore(store, (state) => state.alone);
  const [detail, setDetail] = useState(/** @type {any} */ (null));
  const asking = useMemo(
    () =>
      new Latest(async (/** @type {number} */ which) => {
        try {
          setDetail(await getJson("connection", { conn: which }));
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
        }
      }, 250),
    [],
  );
  useEffect(() => () => asking.close(), [asking]);
  // Handshake and ending change with the class; the rest of an open connection is in the overview.
  const stage = connection && `${connection.conn} ${connection.opened} ${connection.ended} ${connection.sentence}`;
  useEffect(() => {
    if (stage) asking.ask(conn);
  }, [conn, stage]);
  const complete = useStore(store, (state) => state.complete);

  if (!connection) {
    const words = conn && complete ? `There is no connection ${conn} in this recording.` : conn ? "Reading…" : "Select a connection.";
    return html`<section class="connection" aria-label="Connection"><p class="empty">${words}</p></section>`;
  }
  const known = detail?.conn === conn ? detail : null;
  const failed = (known?.handshake?.checks ?? []).filter((/** @type {any} */ check) => !check.ok).length;
  const frames = connection.frames.client + connection.frames.server;
  return html`<section class="connection" aria-label=${`Connection ${conn}`}>
    <${Head} store=${store} connection=${connection} />
    <${Tabs} label="Connection" chosen=${view} choose=${(/** @type {string} */ name) => store.set({ view: name })} tabs=${[
      ["frames", html`Frames <span class="count">${number(frames)}</span>`],
      ["handshake", html`Handshake ${failed ? html`<span class="chip bad">${plural(failed, "failed check")}</span>` : ""}`],
      ["ending", "Ending"],
      ["statistics", "Statistics"],
      ...(alone ? [] : [/** @type {[string, string]} */ (["compare", "Compare"])]),
    ]} />
    <div class="connection-body" role="tabpanel" aria-label=${view}>
      ${view === "frames" && html`<div class="frames"><${Entries} store=${store} connection=${connection} /><${EntryView} store=${store} connection=${connection} /></div>`}
      ${view === "handshake" && known && html`<${HandshakeView} detail=${known} />`}
      ${view === "statistics" && html`<${StatisticsView} store=${store} connection=${connection} />`}
      ${view === "compare" && html`<${CompareView} store=${store} connection=${connection} />`}
      ${view === "ending" && known && html`<${Ending} store=${store} detail=${known} />`}
    </div>
  </section>`;
}

/** @param {{store: import("./store.js").Store, connection: import("./store.js").Connection}} props */
function Head({ store, connection }) {
  useStore(store, (state) => (connection.ended === null ? state.now + state.indexed : 0));
  const alone = useStore(store, (state) => state.alone);
  const lived = lifetime(connection, store.state.now);
  const { frames, bytes } = connection;
  const facts = [
    connection.status && `HTTP ${connection.status}`,
    lived !== null && `${living(connection)} ${duration(lived)}`,
    `${plural(frames.client, "frame")} → ${size(bytes.client)}`,
    `${plural(frames.server, "frame")} ← ${size(bytes.server)}`,
    connection.heartbeats && plural(connection.heartbeats, "heartbeat"),
    connection.problems && plural(connection.problems, "problem"),
    connection.filtered && `filters acted ${plural(connection.filtered, "time")}`,
  ].filter(Boolean);
  return html`<header class=${`verdict ${connection.class}`}>
    <h2><span class="conn-number">#${connection.conn}</span> <bdi>${visible(sentence(account(connection, store.state)), 1200)}</bdi></h2>
    <p class="dim"><code><bdi>${visible(connection.path, 300)}</bdi></code>
      ${connection.browser_code ? html`<span class="chip" title="What a browser's CloseEvent says">browser: ${connection.browser_code}, ${connection.clean ? "clean" : "not clean"}</span>` : ""}
      ${facts.map((fact) => html`<span class="fact" key=${fact}>${fact}</span>`)}
      ${!alone && html`<span class="fact">Export <a href=${apiUrl("export", { format: "html", conn: connection.conn })} download>report</a>${" "}
        <a href=${apiUrl("export", { format: "har", conn: connection.conn })} download>HAR</a>${" "}
        <a href=${apiUrl("export", { format: "md", conn: connection.conn })} download>Markdown</a></span>`}
    </p>
  </header>`;
}

/** @param {string} text */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const STEPS = { fin: "FIN", rst: "RST", close: "close frame", timeout: "timeout", error: "error", half: "half a frame", open: "open" };

/** The account of the ending, in order. @param {{store: import("./store.js").Store, detail: any}} props */
function Ending({ store, detail }) {
  const steps = detail.ending?.account ?? [];
  if (!steps.length) return html`<p class="pane note">It has not ended in this recording.</p>`;
  const first = steps[0].at;
  return html`<div class="pane" tabindex="0" role="region" aria-label="Ending">
    <ol class="steps">
      ${steps.map(
        (/** @type {any} */ step, /** @type {number} */ index) => html`<li key=${index} class=${step.side}>
          <span class="row-time">${index ? `+${duration(step.at - first)}` : timesOf(store.state).moment(first)}</span>
          <span class="row-side">${step.side === "client" ? "→" : "←"}</span>
          ${step.n ? html`<button class="link" onClick=${() => store.select(detail.conn, { n: step.n })}>frame ${step.n}</button>` : ""}
          <span><bdi>${visible(step.text || STEPS[/** @type {keyof typeof STEPS} */ (step.what)] || step.what, 400)}</bdi></span>
          ${step.by && html`<span class="chip proxy">by ${visible(step.by, 80)}</span>`}
        </li>`,
      )}
    </ol>
    ${detail.ending.half_closed && html`<p class="note">That was a half-close: the other side went on.</p>`}
    ${detail.ending.crossed && html`<p class="note">The two close frames crossed on the wire.</p>`}
  </div>`;
}
