// Whether a loop that was found still goes on, as time goes on without anything being recorded.

import { lifetime } from "./format.js";

/** Seconds that a connection must stay open for to be no part of a loop, and how many times as long as the loop's own: as in hangup's account of loops. */
export const SHORT = 10;
const LONGER = 2;

/** @typedef {import("./store.js").Loop} Loop @typedef {import("./store.js").State} State */

/**
 * The connection that was opened after a loop's last, and is open for longer than any of the loop were; and for how long.
 * @param {Loop} loop
 * @param {Pick<State, "connections" | "order" | "now">} state
 * @returns {{conn: number, lived: number} | null}
 */
export function outlives(loop, { connections, order, now }) {
  const last = connections.get(loop.conns[loop.conns.length - 1]);
  for (const conn of order) {
    const each = connections.get(conn);
    if (!each || !last || conn <= last.conn) break;
    const lived = each.ended === null ? lifetime(each, now) : null;
    if (each.path === last.path && each.kind === last.kind && lived !== null && lived > LONGER * loop.lifetime) return { conn, lived };
  }
  return null;
}

/**
 * The loops, those that have stopped by now marked so.
 * @param {Pick<State, "connections" | "order" | "now" | "loops" | "live">} state
 * @returns {Loop[]}
 */
export function settled(state) {
  return state.loops.map((loop) => {
    const by = loop.going_on && state.live ? outlives(loop, state) : null;
    return by && by.lived > Math.max(SHORT, LONGER * loop.lifetime) ? { ...loop, going_on: false, settled: by.conn } : loop;
  });
}
