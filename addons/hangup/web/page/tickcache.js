// What stands in the lanes, asked for by window of time and only for the lanes that are seen.

import { getJson, Latest } from "./api.js";
import { until } from "./format.js";

/** Milliseconds between two questions, so that a busy live recording is not asked about all the time. */
const PAUSE = 150;
/** Lanes in one question: the answer to more would keep the page busy for too long at once. */
const AT_ONCE = 16;
const KEPT = 400;

/**
 * @typedef {[at: number, side: number, kind: string, i: number]} Tick  `side` 0 is the client.
 * @typedef {[at: number, filter: string, action: string, n: number | null]} Action
 * @typedef {object} Lane
 * @property {import("./store.js").Connection | undefined} of  the connection as it was when this was asked for
 * @property {number} from
 * @property {number} to
 * @property {number} px
 * @property {Tick[] | null} ticks
 * @property {Record<string, [number, number][]> | null} bins  by "class-side", x and count
 * @property {Action[]} actions
 */

export class TickCache {
  /**
   * @param {import("./store.js").Store} store
   * @param {() => void} changed
   */
  constructor(store, changed) {
    this.store = store;
    /** @type {Map<number, Lane>} */
    this.lanes = new Map();
    /** @type {{from: number, to: number, count: number, logs: any[]}} */
    this.logs = { from: 0, to: 0, count: -1, logs: [] };
    this.latest = new Latest(async (from, to, px, /** @type {number[]} */ conns) => {
      const { connections, logs } = store.state;
      const asked = new Map(conns.map((conn) => [conn, connections.get(conn)]));
      const answer = await getJson("ticks", { from, to, px, conns: conns.join(",") });
      for (const conn of conns) {
        const { ticks = null, bins = null } = answer.lanes?.[conn] ?? {};
        this.lanes.delete(conn);
        this.lanes.set(conn, { of: asked.get(conn), from, to, px, ticks, bins, actions: answer.actions?.[conn] ?? [] });
      }
      for (const conn of this.lanes.keys()) {
        if (this.lanes.size <= KEPT) break;
        this.lanes.delete(conn);
      }
      this.logs = { from, to, count: logs, logs: answer.logs ?? [] };
      changed();
    }, PAUSE);
  }

  /**
   * Asks for what is missing of these lanes in this window, if anything.
   * @param {number} from seconds
   * @param {number} to
   * @param {number} width pixels
   * @param {number[]} conns those in sight
   */
  want(from, to, width, conns) {
    if (!(width > 0)) return;
    const { connections, now, logs, live } = this.store.state;
    const perPixel = (to - from) / width;
    const missing = conns.filter((conn) => {
      const connection = connections.get(conn);
      if (!connection || connection.at > to || until(connection, now) < from) return false;
      return !this.covers(this.lanes.get(conn), connection, from, to, perPixel);
    });
    const flags = this.logs.count !== logs || this.logs.from > Math.max(0, from) || (this.logs.to < to && this.logs.to < now);
    if (!missing.length && !flags) return;
    // Half a window more on either side: panning then has something to show.
    const margin = (to - from) / 2;
    this.latest.pause = live ? PAUSE : 0;
    this.latest.ask(Math.max(0, from - margin), to + margin, Math.round(width * 2), missing.slice(0, AT_ONCE));
  }

  /**
   * @param {Lane | undefined} lane
   * @param {import("./store.js").Connection} connection
   * @param {number} from
   * @param {number} to
   * @param {number} perPixel
   */
  covers(lane, connection, from, to, perPixel) {
    if (!lane || lane.of !== connection) return false;
    const end = Math.min(to, connection.ended ?? connection.until ?? Infinity, this.store.state.now);
    if (lane.from > Math.max(from, connection.at) || lane.to < end) return false;
    if (lane.ticks) return true;
    const scale = (lane.to - lane.from) / lane.px / perPixel;
    return scale > 0.5 && scale < 1.6;
  }

  close() {
    this.latest.close();
  }
}
