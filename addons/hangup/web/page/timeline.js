// The timeline: what loops there are, the tools, the lanes and their picture.

import { duration, number, plural, visible } from "./format.js";
import { ClockIcon, FitIcon, LoopIcon, Mark, MinusIcon, PlusIcon } from "./icons.js";
import { Lanes } from "./lanes.js";
import { LANE } from "./paint.js";
import { Minimap } from "./minimap.js";
import { Plot } from "./plot.js";
import { keyOf } from "./rows.js";
import { outlives } from "./settling.js";
import { useStore } from "./store.js";
import { timesOf } from "./times.js";
import { html, useEffect, useReducer, useRef, useState } from "./vendor/preact-htm.js";

const LEGEND = [
  ["client", "client"],
  ["server", "server"],
  ["heartbeat", "heartbeat"],
  ["ping", "ping"],
  ["pong", "pong"],
  ["close", "close"],
  ["problem", "problem"],
  ["filter", "filter acted"],
  ["log", "backend log"],
];

/** Of more connections than this one may choose some. */
const MANY = 20;

/** Milliseconds after the last letter. */
const PAUSE = 200;

/** Loops that are told in words. */
const TOLD = 2;
const TOLD_ALL = 100;

/** @param {{store: import("./store.js").Store, enter: () => void}} props */
export function Timeline({ store, enter }) {
  const scroller = useRef(/** @type {any} */ (null));
  const [canvas, axis, cross, tip] = [useRef(null), useRef(null), useRef(null), useRef(null)];
  const plot = useRef(/** @type {Plot | null} */ (null));
  const [range, setRange] = useState([0, 0]);
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const count = useStore(store, (state) => state.order.length);
  const total = useStore(store, (state) => state.total);
  const fitting = useStore(store, (state) => state.fitting);
  const alone = useStore(store, (state) => state.alone);
  const lanes = useStore(store, (state) => state.rows.list.length);
  const live = useStore(store, (state) => state.live);
  const selected = useStore(store, (state) => state.selected?.conn ?? 0);
  const times = useStore(store, timesOf);
  const open = useStore(store, (state) => (state.rev, countOpen(state.connections)));

  useEffect(() => {
    const parts = { scroller: scroller.current, lanes: canvas.current, axis: axis.current, cross: cross.current, tip: tip.current };
    const made = new Plot(store, /** @type {any} */ (parts), {
      range: (first, last) => setRange([first, last]),
      view: () => redraw(0),
    });
    plot.current = made;
    return () => made.close();
  }, [store]);
  useEffect(() => plot.current?.follow(live), [live]);

  /** @param {KeyboardEvent} event */
  const key = (event) => {
    const now = plot.current;
    const target = /** @type {HTMLElement} */ (event.target);
    if (!now || event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea")) return;
    const keys = {
      ArrowLeft: () => now.pan(now.width * 0.15, 0),
      ArrowRight: () => now.pan(-now.width * 0.15, 0),
      "+": () => now.zoom(1 / 1.5),
      "=": () => now.zoom(1 / 1.5),
      "-": () => now.zoom(1.5),
      0: () => now.fit(),
      f: () => now.fit(),
      z: () => selected && now.showAll([selected]),
      l: () => live && now.follow(!now.view.follow),
    };
    const act = keys[/** @type {keyof typeof keys} */ (event.key)];
    if (act) {
      event.preventDefault();
      act();
    }
  };

  const follows = plot.current?.view.follow ?? false;
  return html`<section class="timeline" aria-label="Timeline" onKeyDown=${key}>
    <${Loops} store=${store} show=${(/** @type {number[]} */ conns) => plot.current?.showAll(conns)} />
    <div class="timeline-bar">
      <div class="tools" role="toolbar" aria-label="The visible time span">
        <button class="quiet" title="Zoom out (-)" aria-label="Zoom out" onClick=${() => plot.current?.zoom(1.5)}><${MinusIcon} /></button>
        <button class="quiet" title="Zoom in (+)" aria-label="Zoom in" onClick=${() => plot.current?.zoom(1 / 1.5)}><${PlusIcon} /></button>
        <button class="quiet" title="Show everything (f)" onClick=${() => plot.current?.fit()}><${FitIcon} /> Fit</button>
        ${selected > 0 &&
        html`<button class="quiet" title=${`Show connection ${selected} (z)`} onClick=${() => plot.current?.showAll([selected])}><${FitIcon} /> #${selected}</button>`}
        ${live &&
        html`<button class="quiet" title="Follow the latest events (l)" aria-pressed=${follows ? "true" : "false"}
          onClick=${() => plot.current?.follow(!follows)}><span class="dot"></span> Follow</button>`}
        ${times.known &&
        html`<button class="quiet" title="Show times of day, or seconds since the start of the recording and of the connection" aria-pressed=${times.byClock ? "true" : "false"}
          onClick=${() => store.set({ times: times.byClock ? "relative" : "clock" })}><${ClockIcon} /> Clock</button>`}
      </div>
      <ul class="legend" aria-label="Legend">
        ${LEGEND.map(([kind, words]) => html`<li key=${kind}><${Mark} kind=${kind} />${words}</li>`)}
      </ul>
    </div>
    <div class="timeline-plot">
      <div class="timeline-head">
        <div class="lane-head"><span><b>${counted(count, fitting, total)}</b>${open ? html`, ${open} open` : ""}</span>
          ${!alone && total > MANY && html`<${Choosing} store=${store} />`}</div>
        <canvas class="axis" ref=${axis} aria-hidden="true"></canvas>
      </div>
      <div class="lanes-scroller" ref=${scroller}>
        <div class="lanes-body" style=${{ height: `${lanes * LANE}px` }}>
          <canvas class="lanes-canvas" ref=${canvas} aria-hidden="true"></canvas>
          <${Lanes} store=${store} first=${range[0]} last=${range[1]} enter=${enter}
            reveal=${(/** @type {number} */ index) => plot.current?.reveal(index)} />
        </div>
      </div>
      <${Minimap} store=${store} scroller=${scroller} />
      <div class="over" aria-hidden="true">
        <div class="cross" ref=${cross} hidden></div>
        <div class="tip" ref=${tip} hidden></div>
      </div>
      ${count === 0 && (total ? html`<p class="empty">No connection fits.</p>` : html`<${Nothing} store=${store} />`)}
    </div>
  </section>`;
}

/**
 * How many are listed, of how many. What is selected is listed whether it fits or not.
 * @param {number} count @param {number} fitting @param {number} total
 */
const counted = (count, fitting, total) =>
  fitting < total ? `${number(Math.min(count, fitting))} of ${number(fitting)} that fit` : `${count < total ? `${number(count)} of ` : ""}${plural(total, "connection")}`;

/** Which connections are listed. @param {{store: import("./store.js").Store}} props */
function Choosing({ store }) {
  const choice = useStore(store, (state) => state.choice);
  const typed = useRef(/** @type {any} */ (0));
  /** @param {any} event */
  const write = (event) => {
    const path = event.target.value.trim();
    clearTimeout(typed.current);
    typed.current = setTimeout(() => store.set({ choice: { ...store.state.choice, path } }), PAUSE);
  };
  return html`<span class="choosing" role="group" aria-label="Which connections">
    <input type="search" class="mono" aria-label="Path" placeholder="path, as /ws/*" title="Only connections whose path fits this pattern: * and ? as in a shell"
      defaultValue=${choice.path} onInput=${write} />
    <label title="Only connections that failed"><input type="checkbox" checked=${choice.failed}
      onChange=${(/** @type {any} */ event) => store.set({ choice: { ...choice, failed: event.target.checked } })} /> failed</label>
  </span>`;
}

/** @param {Map<number, import("./store.js").Connection>} connections */
function countOpen(connections) {
  let count = 0;
  for (const each of connections.values()) if (each.class === "open") count++;
  return count;
}

/** @param {{store: import("./store.js").Store, show: (conns: number[]) => void}} props */
function Loops({ store, show }) {
  const loops = useStore(store, (state) => state.loops);
  useStore(store, (state) => (state.live ? state.rev : 0));
  const [all, showAll] = useState(false);
  if (!loops.length) return null;
  const latest = [...loops].reverse();
  return html`<div class="loops">
    ${latest.slice(0, all ? TOLD_ALL : TOLD).map((loop) => {
      const { conns, sentence } = loop;
      return html`<button key=${keyOf(loop)} class="loop" title=${visible(sentence, 600)}
        onClick=${() => show(conns)}>
        <${LoopIcon} /><b>Loop of ${number(loop.count ?? conns.length)}</b>
        <span class="loop-words"><bdi>${said(loop, store.state)}</bdi></span>
      </button>`;
    })}
    ${loops.length > TOLD && html`<button class="more" aria-expanded=${all ? "true" : "false"} onClick=${() => showAll(!all)}>
      ${all ? "fewer" : `and ${plural(loops.length - TOLD, "loop")} more`}</button>`}
  </div>`;
}

/**
 * A loop in few words; all of them stand in its sentence.
 * @param {import("./store.js").Loop} loop
 * @param {import("./store.js").State} state
 */
function said(loop, state) {
  const { failed = 0, count = loop.conns.length, by, how } = loop;
  const ended = how && how !== "none" ? `, ended by the ${by}${how === "close" ? "" : ` (${how.toUpperCase()})`}` : "";
  const fate = failed === count ? "every handshake failed" : `each was open for ${duration(loop.lifetime)}${ended}`;
  const pace = loop.backing_off ? "backing off" : "not backing off";
  const path = loop.path ? `${visible(loop.path, 60)}: ` : "";
  return `${path}${fate}, reopened after ${duration(loop.gap)}, ${pace}${loop.going_on ? `, ${standing(loop, state)}` : ""}`;
}

/**
 * Whether it goes on: what was opened after its last may already live longer than any of it.
 * @param {import("./store.js").Loop} loop
 * @param {import("./store.js").State} state
 */
function standing(loop, state) {
  const by = outlives(loop, state);
  if (by) return `but #${by.conn} has been open for ${duration(by.lived)}`;
  return state.live ? "still going on" : "still going on at the end";
}

/** @param {{store: import("./store.js").Store}} props */
function Nothing({ store }) {
  const header = useStore(store, (state) => state.header);
  const live = useStore(store, (state) => state.live);
  const loaded = useStore(store, (state) => state.loaded);
  if (!loaded) return html`<p class="empty" role="status">Reading…</p>`;
  if (!live) return html`<p class="empty">There is no connection in this recording.</p>`;
  return html`<p class="empty">
    Waiting for the first connection.${header.listen && html` Point your page at <code>ws://${visible(header.listen, 200)}</code>.`}
  </p>`;
}
