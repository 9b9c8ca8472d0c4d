// Test Connection: what a browser is told of a connection, beside what the recorder saw of it.

import { getJson } from "./api.js";
import { account, lived } from "./attempt.js";
import { useCatalogue } from "./completion.js";
import { changeFilters } from "./filters.js";
import { duration, plural, visible } from "./format.js";
import { fieldsOf } from "./imitation.js";
import { useStore } from "./store.js";
import { ours, sessionOf } from "./testrun.js";
import { html, useEffect, useReducer, useRef, useState } from "./vendor/preact-htm.js";

/** @typedef {import("./attempt.js").Outcome} Outcome */
/** @typedef {import("./store.js").Connection} Connection */
/** @typedef {import("./testrun.js").Route} Route */
/** @typedef {import("./testrun.js").Try} Try */
/** @typedef {import("./testrun.js").Form} Form */
/** @typedef {import("./testrun.js").Session} Session */

/** @param {{store: import("./store.js").Store}} props */
export function TestPanel({ store }) {
  const session = sessionOf(store);
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const [status, setStatus] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const listener = () => redraw(0);
    session.listeners.add(listener);
    return () => session.listeners.delete(listener);
  }, [session]);
  useEffect(() => {
    getJson("status").then(setStatus, (error) => setProblem(error.message));
  }, []);
  if (!status) return html`<div class="pane">${problem && html`<p class="error" role="alert">${visible(problem, 300)}</p>`}</div>`;
  if (!status.listen)
    return html`<div class="pane"><p class="note">This proxy has no address that a page could connect to: the system redirects traffic to it.</p></div>`;
  return html`<div class="pane test-panel">
    <${Ask} store=${store} session=${session} status=${status} />
    <${Sums} session=${session} />
    <${Tries} store=${store} session=${session} />
    <${Log} session=${session} />
  </div>`;
}

/** @param {any} status @param {string} path @returns {[Route, string][]} */
function urls(status, path) {
  // Somebody may have pasted a whole URL.
  const rest = path.trim().replace(/^\w+:\/\/[^/?#]*/, "");
  const whole = rest.startsWith("/") ? rest : `/${rest}`;
  /** @type {[Route, string][]} */
  const found = [["proxy", `ws://${status.listen.replace(/^(0\.0\.0\.0|\[::\]):/, `${location.hostname}:`)}${whole}`]];
  // The page's policy cannot name an address of IPv6, in brackets.
  if (status.backend && !status.backend.includes("[")) found.push(["direct", `${status.backend}${whole}`]);
  return found;
}

/** @param {import("./store.js").Store} store */
function paths(store) {
  const { connections, order } = store.state;
  const found = new Set();
  for (const conn of order) {
    const each = connections.get(conn);
    if (each && each.kind === "app" && found.size < 20) found.add(each.path);
  }
  return [...found];
}

/** The application's latest connection that opened, one with a heartbeat if there is any; 0 for none. @param {import("./store.js").Store} store */
function newest(store) {
  const { connections, order } = store.state;
  const opened = order.filter((conn) => connections.get(conn)?.kind === "app" && connections.get(conn)?.opened !== null);
  return opened.find((conn) => connections.get(conn)?.heartbeats) ?? opened[0] ?? 0;
}

/** @param {Form} form @param {import("./completion.js").Catalogue | null} known @returns {string | null} */
function beatOf(form, known) {
  if (form.beat === "none") return null;
  if (form.beat === "custom") return form.custom;
  if (form.beat === "json") return JSON.stringify({ [form.key]: form.word });
  if (form.beat === "text") return "ping";
  if (form.beat === "empty") return "";
  if (form.beat === "engine.io") return "2";
  return known?.forms.find(({ name }) => name === form.beat)?.ping ?? null;
}

/** Seconds; a browser's timers do not reach much further. */
const LONGEST = 86_400;
const COMMON = ["text", "json", "engine.io", "empty"];

/** @param {{store: import("./store.js").Store, session: Session, status: any}} props */
function Ask({ store, session, status }) {
  const known = useCatalogue();
  const order = useStore(store, (state) => state.order);
  const seen = paths(store);
  const [form, setForm] = useState(
    /** @returns {Form} */ () =>
      session.form ?? {
        path: "", protocols: "", messages: "", beat: "none", key: "type", word: "ping", custom: "ping", every: "1",
        times: "1", hold: "10", direct: true,
      },
  );
  const [problem, setProblem] = useState("");
  const [like, setLike] = useState(0);
  useEffect(() => {
    const conn = session.untouched ? newest(store) : 0;
    if (!conn) return;
    // Like the application's own, until somebody writes something else.
    const take = (/** @type {import("./imitation.js").Imitation} */ found) => {
      if (!session.untouched) return;
      session.untouched = false;
      setLike(conn);
      setForm((now) => ({ ...now, ...fieldsOf(found) }));
    };
    getJson("imitate", { conn }).then(take, () => setForm((now) => ({ ...now, path: now.path || seen[0] })));
  }, [order]);
  session.form = form;
  const touch = () => (session.untouched = false);
  /** @param {keyof Form} name */
  const field = (name) => ({
    name,
    value: form[name],
    onInput: (/** @type {any} */ event) => setForm((now) => ({ ...now, [name]: event.currentTarget.value })),
  });
  const all = urls(status, form.path || "/");
  const start = () => {
    const every = Number(form.every);
    const hold = Number(form.hold);
    const times = Number(form.times);
    if (!(every >= 0.05 && hold >= 0.1 && Math.max(every, hold) <= LONGEST && times >= 1)) {
      setProblem("give a period of at least 0.05 s, a wait of at least 0.1 s (each at most a day), and at least one attempt");
      return;
    }
    setProblem("");
    const protocols = form.protocols.split(",").map((name) => name.trim()).filter(Boolean);
    const messages = form.messages.split("\n").filter((line) => line.trim() !== "");
    const plan = { protocols, messages, beat: beatOf(form, known), every, hold };
    void session.run(store, plan, { routes: form.direct ? all : all.slice(0, 1), times: Math.min(times, 1000) });
  };
  const running = session.running !== null;
  return html`<form class="test-form" onInput=${touch} onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), running || start())}>
    <label class="wide">Path <input class="mono" type="text" list="test-paths" placeholder="/ws" required spellcheck=${false} ...${field("path")} /></label>
    <datalist id="test-paths">${seen.map((path) => html`<option key=${path} value=${path}></option>`)}</datalist>
    ${like > 0 && html`<p class="note wide">Heartbeat and first messages are taken from <button type="button" class="link" onClick=${() => store.select(like)}>connection ${like}</button>.</p>`}
    <label>Heartbeat
      <select ...${field("beat")} onChange=${field("beat").onInput}>
        <option value="none">none</option>
        <option value="text">text: ping</option>
        <option value="json">JSON with a key</option>
        <option value="engine.io">Engine.IO: 2</option>
        <option value="empty">an empty message</option>
        <option value="custom">other…</option>
        ${known && html`<optgroup label="As spoken by">
          ${known.forms
            .filter(({ name, ping }) => ping !== null && !COMMON.includes(name))
            .map((each) => html`<option key=${each.name} value=${each.name}>${each.spoken}: ${visible(each.ping, 40)}</option>`)}
        </optgroup>`}
      </select>
    </label>
    <label>every <span class="unit"><input type="number" min="0.05" max=${LONGEST} step="any" required disabled=${form.beat === "none"} ...${field("every")} /> s</span></label>
    ${form.beat === "json" &&
    html`<label>Key <input class="mono" type="text" required ...${field("key")} /></label> <label>Value <input class="mono" type="text" ...${field("word")} /></label>`}
    ${form.beat === "custom" && html`<label class="wide">It says <input class="mono" type="text" placeholder="ping, or hex:c000" ...${field("custom")} /></label>`}
    <label class="wide">Messages to send once open, one per line
      <textarea class="mono" rows="2" spellcheck=${false} placeholder=${'{"type":"hello"}'} ...${field("messages")}></textarea>
    </label>
    <label class="wide">Subprotocols, separated by commas <input class="mono" type="text" placeholder="none" spellcheck=${false} ...${field("protocols")} /></label>
    <label>Attempts <input type="number" min="1" max="1000" required ...${field("times")} /></label>
    <label>Keep open for at most <span class="unit"><input type="number" min="0.1" max=${LONGEST} step="any" required ...${field("hold")} /> s</span></label>
    ${all.length > 1 &&
    html`<label class="wide check"><input type="checkbox" checked=${form.direct} onChange=${(/** @type {any} */ event) => setForm((now) => ({ ...now, direct: event.currentTarget.checked }))} />
      for comparison also direct to <code>${visible(all[1][1], 120)}</code></label>`}
    ${problem && html`<p class="error wide" role="alert">${problem}</p>`}
    <div class="wide buttons">
      ${running
        ? html`<button type="button" class="primary" key="stop" onClick=${() => session.running?.abort()}>Stop</button>`
        : html`<button type="submit" class="primary" key="start">Test Connection</button>`}
      ${session.tries.length > 0 && !running && html`<button type="button" class="quiet" onClick=${() => session.clear()}>Clear</button>`}
      <span class="dim">through <code>${visible(all[0][1], 120)}</code></span>
    </div>
  </form>`;
}

/** @param {Try[]} tries @param {Route} route */
function sums(tries, route) {
  const over = tries.filter((each) => each.route === route && each.outcome && each.outcome.code !== null && !each.outcome.stopped);
  const lives = over.map((each) => lived(/** @type {Outcome} */ (each.outcome))).filter((life) => life !== null).sort((a, b) => a - b);
  /** @type {Map<string, number>} */
  const ends = new Map();
  for (const { outcome } of over) {
    const words = outcome?.held ? "held" : `${outcome?.code}${outcome?.opened === null ? ", did not open" : ""}`;
    ends.set(words, (ends.get(words) ?? 0) + 1);
  }
  return {
    count: over.length,
    opened: lives.length,
    held: over.filter((each) => each.outcome?.held).length,
    ends: [...ends].sort((a, b) => b[1] - a[1]),
    lifetime: lives.length ? lives[Math.floor(lives.length / 2)] : null,
  };
}

const ROUTES = /** @type {Record<Route, string>} */ ({ proxy: "through the proxy", direct: "direct" });

/** All attempts. @param {{session: Session}} props */
function Sums({ session }) {
  const proxy = sums(session.tries, "proxy");
  const direct = sums(session.tries, "direct");
  if (proxy.count + direct.count < 2) return null;
  const rows = /** @type {[Route, ReturnType<typeof sums>][]} */ ([["proxy", proxy], ["direct", direct]]).filter(([, sum]) => sum.count);
  return html`<table class="sums">
      <caption class="visually-hidden">All attempts</caption>
      <thead><tr><th scope="col">attempts</th><th scope="col">opened</th><th scope="col">ended with</th><th scope="col">median lifetime</th></tr></thead>
      <tbody>
        ${rows.map(
          ([route, sum]) => html`<tr key=${route}>
            <th scope="row">${ROUTES[route]}</th>
            <td>${sum.opened} of ${sum.count}</td>
            <td>${sum.ends.map(([words, count], index) => html`${index > 0 && ", "}<span class=${words === "held" ? "good" : ""}>${words} ${count > 1 ? `(${count}×)` : ""}</span>`)}</td>
            <td>${sum.lifetime === null ? "–" : duration(sum.lifetime)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    ${rows.length > 1 && html`<p class="note">${compared(proxy, direct)}</p>`}`;
}

/** @param {ReturnType<typeof sums>} proxy @param {ReturnType<typeof sums>} direct */
function compared(proxy, direct) {
  const same = proxy.ends.map(([words]) => words).sort().join() === direct.ends.map(([words]) => words).sort().join();
  if (same && proxy.held) return "It stays open either way.";
  if (same) return "It ends the same way without the proxy: the proxy is not the cause.";
  if (direct.held && !proxy.held) return "It stays open when connected directly, but not through the proxy: check which filters are on, and the Host in the handshake.";
  if (proxy.held && !direct.held) return "It stays open through the proxy, but not when connected directly: a filter makes the difference, or the Host and Origin that the backend sees.";
  return "The two end differently.";
}

/** What the page and the recorder say of each. @param {{store: import("./store.js").Store, session: Session}} props */
function Tries({ store, session }) {
  const connections = useStore(store, (state) => state.connections);
  const last = session.tries.slice(-12).reverse();
  return html`<ol class="tries" aria-label="Attempts, the latest first" aria-live="polite">
    ${last.map((each) => html`<${Tried} key=${each.number} store=${store} tried=${each} connection=${each.conn === null ? null : connections.get(each.conn) ?? null} />`)}
  </ol>`;
}

/** @param {{store: import("./store.js").Store, tried: Try, connection: Connection | null}} props */
function Tried({ store, tried, connection }) {
  const { outcome, route, number } = tried;
  const kind = !outcome ? "open" : outcome.held ? "good" : outcome.stopped ? "neutral" : outcome.clean ? "neutral" : "bad";
  return html`<li class=${`try ${kind}`}>
    <div class="head"><b>#${number}</b> ${ROUTES[route]}
      ${connection && html` <button class="link" onClick=${() => store.select(connection.conn)}>connection ${connection.conn}</button>`}</div>
    <dl>
      <dt>The page says</dt>
      <dd class="page-says">${outcome ? html`<bdi>${visible(account(outcome, duration), 400)}</bdi>` : "…"}</dd>
      ${route === "proxy" &&
      html`<dt>The wire says</dt>
        <dd class="wire-says">${wire(tried, connection)}</dd>`}
    </dl>
    ${connection && refuses(connection) && html`<${Refused} store=${store} connection=${connection} />`}
  </li>`;
}

/** @param {Try} tried @param {Connection | null} connection */
function wire(tried, connection) {
  if (connection) return html`<bdi>${visible(connection.sentence, 600)}</bdi>`;
  if (tried.unseen) return "it is not in the recording: it did not reach the proxy";
  if (!tried.outcome) return "…";
  return tried.outcome.code === null ? "it was never sent" : "…";
}

/** Whether it may be the Origin: not let in, or let in and shown the door. @param {Connection} connection */
const refuses = ({ status, code, by }) => status === 403 || status === 401 || (by === "server" && (code === 1008 || code === 4403 || code === 4401));

/** @param {{store: import("./store.js").Store, connection: Connection}} props */
function Refused({ store, connection }) {
  const [said, setSaid] = useState("");
  const filters = useStore(store, (state) => state.filters);
  const { connections, order } = store.state;
  const app = order.map((conn) => connections.get(conn)).find((each) => each && !ours(each) && each.kind === "app" && each.origin);
  const filter = app?.origin ? `origin ${app.origin}` : "origin";
  const there = filters.some((each) => each.on && each.filter === filter);
  const add = async () => setSaid((await changeFilters(store, "add", { filter })) || "It is on: test again.");
  return html`<p class="hint">A backend that checks the Origin rejects this page, whose Origin is <code>${location.origin}</code>.
    ${app?.origin ? " With this filter it has the application's Origin:" : " With this filter it has the backend's own Origin:"}
    <code class="command">${visible(filter, 200)}</code>
    ${!there && html`<button type="button" onClick=${add}>Switch on</button>`} ${said && html`<span class="note" role="status">${said}</span>`}</p>`;
}

/** @param {{session: Session}} props */
function Log({ session }) {
  const box = useRef(/** @type {any} */ (null));
  const end = useRef(true);
  useEffect(() => {
    if (end.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  if (!session.lines.length) return null;
  const scrolled = (/** @type {any} */ event) => {
    const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
    end.current = scrollTop + clientHeight > scrollHeight - 20;
  };
  const attempts = session.tries.filter((each) => each.outcome).length;
  return html`<details class="log" open>
    <summary>Log <span class="dim">${plural(attempts, "attempt")}</span></summary>
    <div class="lines mono" role="log" aria-label="What happened" tabindex="0" ref=${box} onScroll=${scrolled}>
      ${session.lines.slice(-300).map(
        (line, index) => html`<div key=${index} class=${line.what}>
          <span class="dim">#${line.number}${line.route === "direct" ? " direct" : ""}</span>
          <span class="time">${line.at.toFixed(3)}</span>
          <span class="what">${line.what === "note" ? "" : line.what}</span>
          <span class="text"><bdi>${visible(line.text, 400)}</bdi></span>
        </div>`,
      )}
    </div>
  </details>`;
}
