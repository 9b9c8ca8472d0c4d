// The picture of the timeline: keeps its window, its scroll and its canvases, and draws at most once a frame.

import { AXIS, paintAxis, underAxis, whenFiltered } from "./axis.js";
import { duration, ending, lifetime, living, plural, precise, until, visible } from "./format.js";
import { gestures } from "./gestures.js";
import { LANE, paint } from "./paint.js";
import { onThemeChange, palette } from "./palette.js";
import { nearest, within } from "./rows.js";
import { TickCache } from "./tickcache.js";
import { timesOf } from "./times.js";
import { TimeWindow } from "./timescale.js";

/** A folded lane shows the frames of at most so many connections at once. */
const MOST = 16;

/**
 * @typedef {{scroller: HTMLElement, lanes: HTMLCanvasElement, axis: HTMLCanvasElement, cross: HTMLElement,
 *   tip: HTMLElement}} Parts
 */

export class Plot {
  /**
   * @param {import("./store.js").Store} store
   * @param {Parts} parts
   * @param {{range: (first: number, last: number) => void, view: () => void}} tell  which lanes are in sight; that the
   *   window of time has changed
   */
  constructor(store, parts, tell) {
    this.store = store;
    this.parts = parts;
    this.tell = tell;
    this.view = new TimeWindow();
    this.cache = new TickCache(store, () => this.schedule());
    this.colours = palette();
    this.width = 0;
    this.height = 0;
    this.first = 0;
    this.last = 0;
    /** @type {{x: number, y: number} | null} */
    this.pointer = null;
    /** @type {import("./store.js").Loop[] | null} */
    this.loops = null;
    /** @type {Map<number, number>} */
    this.before = new Map();
    this.lanes_count = 0;
    this.folds = store.state.folds;
    this.waiting = 0;
    this.arrived = performance.now();
    this.resizing = new ResizeObserver(() => this.measure());
    this.resizing.observe(parts.scroller);
    this.resizing.observe(parts.lanes);
    this.ends = [
      store.subscribe(() => this.changed()),
      onThemeChange(() => {
        this.colours = palette();
        this.schedule();
      }),
      gestures(parts.lanes, {
        zoom: (factor, x) => this.zoom(factor, x),
        pan: (dx, dy) => this.pan(dx, dy),
        hover: (point) => this.hover(point),
        click: (point) => this.click(point),
      }),
      gestures(parts.axis, {
        zoom: (factor, x) => this.zoom(factor, x),
        pan: (dx) => this.pan(dx, 0),
        hover: (point) => this.hover(point && { x: point.x, y: point.y - AXIS }),
        click: (point) => this.clickAxis(point),
      }),
    ];
    this.onScroll = () => this.schedule();
    parts.scroller.addEventListener("scroll", this.onScroll, { passive: true });
    // Between two messages of the server time goes on as well; it is drawn now and then.
    this.timer = setInterval(() => this.beat(), 250);
    this.measure();
    this.changed();
  }

  close() {
    for (const end of this.ends) end();
    this.resizing.disconnect();
    this.parts.scroller.removeEventListener("scroll", this.onScroll);
    clearInterval(this.timer);
    cancelAnimationFrame(this.waiting);
    this.cache.close();
  }

  /** The moment that the recording has come to, also between two messages of the server. */
  get now() {
    const { live, connected, now } = this.store.state;
    return live && connected ? now + (performance.now() - this.arrived) / 1000 : now;
  }

  beat() {
    const { live, connected } = this.store.state;
    if (live && connected && !document.hidden && performance.now() - this.arrived > 200) this.advance();
  }

  advance() {
    this.view.advance(this.now);
    this.schedule();
  }

  /** The state has changed. */
  changed() {
    const { state } = this.store;
    if (state.now !== this.view.now) this.arrived = performance.now();
    const added = state.folds === this.folds ? state.rows.list.length - this.lanes_count : 0;
    this.lanes_count = state.rows.list.length;
    this.folds = state.folds;
    const { scroller } = this.parts;
    // Who has scrolled down goes on seeing what he saw when lanes come in at the top.
    if (added > 0 && scroller.scrollTop > 0) requestAnimationFrame(() => (scroller.scrollTop += added * LANE));
    if (state.loops !== this.loops) {
      this.loops = state.loops;
      this.before = new Map();
      for (const { conns } of state.loops) {
        for (let index = 1; index < conns.length; index++) this.before.set(conns[index], conns[index - 1]);
      }
    }
    this.advance();
  }

  measure() {
    const { scroller, lanes, axis } = this.parts;
    const ratio = devicePixelRatio || 1;
    this.width = lanes.clientWidth;
    this.height = scroller.clientHeight;
    const share = Math.min(0.35, 122 / Math.max(1, this.width));
    this.view.margin = share / (1 - share);
    if (this.view.whole) this.view.advance(this.now);
    const gutter = scroller.offsetWidth - (lanes.parentElement?.offsetWidth ?? 0);
    scroller.parentElement?.style.setProperty("--gutter", `${gutter}px`);
    for (const [canvas, height] of /** @type {[HTMLCanvasElement, number][]} */ ([[lanes, this.height], [axis, AXIS]])) {
      canvas.width = Math.max(1, Math.round(this.width * ratio));
      canvas.height = Math.max(1, Math.round(height * ratio));
      canvas.style.height = `${height}px`;
    }
    this.draw();
  }

  schedule() {
    if (!this.waiting) {
      this.waiting = requestAnimationFrame(() => {
        this.waiting = 0;
        this.draw();
      });
    }
  }

  draw() {
    const { state } = this.store;
    const { scroller, lanes, axis } = this.parts;
    if (!this.width || !this.height) return;
    this.view.origin = timesOf(state).origin;
    const scroll = scroller.scrollTop;
    const first = Math.floor(scroll / LANE);
    const last = Math.min(state.rows.list.length, Math.ceil((scroll + this.height) / LANE));
    if (first !== this.first || last !== this.last) {
      this.first = first;
      this.last = last;
      this.tell.range(first, last);
    }
    const conns = state.rows.list.slice(first, last).flatMap((row) => this.seen(row).map((each) => each.conn));
    this.cache.want(this.view.from, this.view.to, this.width, conns);
    const ratio = devicePixelRatio || 1;
    const pen = /** @type {CanvasRenderingContext2D} */ (lanes.getContext("2d"));
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint(
      pen,
      {
        view: this.view,
        width: this.width,
        height: this.height,
        scroll,
        rows: state.rows,
        first,
        last,
        connections: state.connections,
        lanes: this.cache.lanes,
        before: this.before,
        filtered: whenFiltered(state.marks, state.header.filters ?? [], this.now),
        marks: state.marks.map((mark) => mark.at),
        now: this.now,
        selected: state.selected,
        hovered: this.pointer && this.pointer.y >= 0 ? Math.floor((this.pointer.y + scroll) / LANE) : -1,
      },
      this.colours,
    );
    const above = /** @type {CanvasRenderingContext2D} */ (axis.getContext("2d"));
    above.setTransform(ratio, 0, 0, ratio, 0, 0);
    paintAxis(above, this.view, this.width, state.marks, this.cache.logs.logs, this.colours, timesOf(state));
    this.point();
  }

  /** The connections of a lane whose frames are drawn: of a folded one, if they are few. @param {import("./rows.js").Row} row */
  seen({ conn, conns }) {
    const { connections } = this.store.state;
    const all = (conns ?? [conn]).flatMap((each) => connections.get(each) ?? []);
    return within(all, (each) => this.span(each), this.view.from, this.view.to, MOST);
  }

  /** @param {import("./store.js").Connection} connection @returns {[number, number]} */
  span(connection) {
    return [connection.at, until(connection, this.now)];
  }

  /** Where a zoom by keyboard or button holds on to: the pointer, else the end of what is selected, else the middle. */
  get anchor() {
    if (this.pointer) return this.pointer.x;
    const { connection } = this.store;
    const end = connection ? this.view.x(until(connection, this.now), this.width) : -1;
    return end >= 0 && end <= this.width ? end : this.width / 2;
  }

  /** @param {number} factor @param {number} [x] */
  zoom(factor, x = this.anchor) {
    this.view.zoom(factor, this.view.at(x, this.width));
    this.moved();
  }

  /** @param {number} dx @param {number} dy pixels */
  pan(dx, dy) {
    if (dx) this.view.pan((-dx / this.width) * this.view.span);
    if (dy) this.parts.scroller.scrollTop -= dy;
    this.moved();
  }

  fit() {
    this.view.fit();
    this.view.advance(this.now);
    this.moved();
  }

  /** @param {boolean} follow */
  follow(follow) {
    this.view.follow = follow;
    this.view.advance(this.now);
    this.moved();
  }

  /** Shows this stretch. @param {number} from @param {number} to seconds */
  show(from, to) {
    this.view.fitTo(from, to);
    this.moved();
  }

  /** Shows the whole of these connections and their lanes, the newest one's if not all. @param {number[]} conns in order */
  showAll(conns) {
    const { connections, rows } = this.store.state;
    const there = conns.filter((conn) => connections.has(conn));
    const [first, last] = [connections.get(there[0]), connections.get(there[there.length - 1])];
    if (!first || !last) return;
    this.show(first.at, until(last, this.now));
    for (const { conn } of [first, last]) this.reveal(rows.at.get(conn) ?? 0);
  }

  /** Scrolls a lane into sight. @param {number} index */
  reveal(index) {
    const { scroller } = this.parts;
    const top = index * LANE;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + LANE > scroller.scrollTop + this.height) scroller.scrollTop = top + LANE - this.height;
  }

  moved() {
    this.tell.view();
    this.schedule();
  }

  /** @param {{x: number, y: number} | null} point */
  hover(point) {
    this.pointer = point;
    this.schedule();
  }

  /** The connection under a point. @param {{x: number, y: number} | null} point */
  under(point) {
    if (!point || point.y < 0 || point.y >= this.height) return null;
    const { rows, connections } = this.store.state;
    const row = rows.list[Math.floor((point.y + this.parts.scroller.scrollTop) / LANE)];
    if (!row) return null;
    const all = (row.conns ?? [row.conn]).flatMap((each) => connections.get(each) ?? []);
    return nearest(all, (each) => this.span(each), this.view.at(point.x, this.width));
  }

  /** The frame next to a point, if one is near enough. @param {{x: number, y: number}} point */
  tick(point) {
    const connection = this.under(point);
    const ticks = connection && this.cache.lanes.get(connection.conn)?.ticks;
    if (!ticks) return null;
    const side = (point.y + this.parts.scroller.scrollTop) % LANE < LANE / 2 ? 0 : 1;
    let best = null;
    let least = 7;
    for (const tick of ticks) {
      const away = Math.abs(this.view.x(tick[0], this.width) - point.x) + (tick[1] === side ? 0 : 2);
      // Of those in one place, the last: it is drawn on top.
      if (away <= least) [best, least] = [tick, away];
    }
    return best;
  }

  /** @param {{x: number, y: number}} point */
  click(point) {
    const connection = this.under(point);
    if (connection) this.store.select(connection.conn, { i: this.tick(point)?.[3] ?? null });
  }

  /** @param {{x: number, y: number}} point */
  clickAxis({ x, y }) {
    const found = underAxis(this.view, this.width, this.store.state.marks, this.cache.logs.logs, x, y, timesOf(this.store.state));
    if (found?.conn) this.store.select(found.conn);
  }

  /** The crosshair, and words beside it. */
  point() {
    const { cross, tip } = this.parts;
    const { pointer } = this;
    cross.hidden = tip.hidden = !pointer;
    if (!pointer) return;
    const at = this.view.at(pointer.x, this.width);
    cross.style.transform = `translateX(${pointer.x}px)`;
    const words = this.words(pointer, at);
    if (tip.textContent !== words) tip.textContent = words;
    const right = pointer.x > this.width * 0.6;
    tip.style.transform = `translate(${pointer.x + (right ? -10 : 10)}px, ${Math.max(-AXIS, pointer.y + 16)}px)` +
      (right ? " translateX(-100%)" : "");
  }

  /** @param {{x: number, y: number}} pointer @param {number} at */
  words(pointer, at) {
    const step = Math.max(1e-6, this.view.span / this.width);
    const times = timesOf(this.store.state);
    const time = times.moment(at, step);
    if (pointer.y < 0) {
      const { marks } = this.store.state;
      return underAxis(this.view, this.width, marks, this.cache.logs.logs, pointer.x, pointer.y + AXIS, times)?.words ?? time;
    }
    const connection = this.under(pointer);
    if (!connection) return time;
    const tick = this.tick(pointer);
    const since = (/** @type {number} */ then) => (connection.opened === null ? "" : `, ${precise(then - connection.opened)} after it opened`);
    if (tick) {
      const who = tick[1] ? "server" : "client";
      const action = this.cache.lanes.get(connection.conn)?.actions.find((each) => each[0] === tick[0]);
      const acted = action ? `\n${visible(action[1], 80)}: ${action[2]}` : "";
      return `#${connection.conn} ${who} ${tick[2]} at ${times.moment(tick[0])}${since(tick[0])}${acted}`;
    }
    const lived = lifetime(connection, this.now);
    const life = lived === null ? "" : `, ${living(connection)} ${duration(lived)}`;
    return `${time}${at > connection.at ? since(at) : ""}\n#${connection.conn} ${ending(connection)}${life}, ${plural(connection.frames.client + connection.frames.server, "frame")}`;
  }
}
