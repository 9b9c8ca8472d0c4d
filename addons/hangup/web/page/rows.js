// The lanes of the timeline: a connection each, or all those of a loop that is folded.

/** Longer loops are folded until somebody opens them. */
export const LONG = 12;

/**
 * @typedef {import("./store.js").Loop} Loop
 *
 * @typedef {object} Row
 * @property {number} conn  the connection, the newest of those that are folded
 * @property {Loop | null} loop  the one that can be folded or opened here: its newest connection's
 * @property {number[] | null} conns  those that are folded, the oldest first
 *
 * @typedef {{list: Row[], at: Map<number, number>}} Rows  `at`: in which row each connection stands
 */

/** @type {Rows} */
export const NO_ROWS = { list: [], at: new Map() };

/** What a loop is known by while it grows. @param {Loop} loop */
export const keyOf = (loop) => loop.begins ?? loop.conns[0];

/** @param {Loop} loop @param {Map<number, boolean>} folds what somebody has chosen, by key */
export const isFolded = (loop, folds) => folds.get(keyOf(loop)) ?? loop.conns.length > LONG;

/**
 * @param {number[]} order  connections, newest first
 * @param {Loop[]} loops
 * @param {Map<number, boolean>} folds
 * @returns {Rows}
 */
export function layRows(order, loops, folds) {
  /** @type {Map<number, Loop>} */
  const newest = new Map();
  /** @type {Map<number, number>} of those that have no lane of their own: the one in whose lane they are */
  const within = new Map();
  const there = new Set(order);
  for (const loop of loops) {
    const last = loop.conns[loop.conns.length - 1];
    if (!there.has(last)) continue;
    newest.set(last, loop);
    if (isFolded(loop, folds)) for (const conn of loop.conns) if (conn !== last) within.set(conn, last);
  }
  /** @type {Row[]} */
  const list = [];
  const at = new Map();
  for (const conn of order) {
    if (within.has(conn)) continue;
    const loop = newest.get(conn) ?? null;
    at.set(conn, list.length);
    list.push({ conn, loop, conns: loop && isFolded(loop, folds) ? loop.conns : null });
  }
  for (const [conn, last] of within) at.set(conn, at.get(last) ?? -1);
  return { list, at };
}

/**
 * Of a folded loop's connections, those that are there at some time from `from` to `to`; none if they are more than `most`.
 * @template T
 * @param {T[]} all in order
 * @param {(each: T) => [number, number]} span
 * @param {number} from
 * @param {number} to
 * @param {number} most
 */
export function within(all, span, from, to, most) {
  const found = [];
  for (const each of all) {
    const [begins, ends] = span(each);
    if (ends < from || begins > to) continue;
    if (found.push(each) > most) return [];
  }
  return found;
}

/**
 * Which of these is there at a time, else the nearest.
 * @template T
 * @param {T[]} all
 * @param {(each: T) => [number, number]} span
 * @param {number} time
 */
export function nearest(all, span, time) {
  let best = null;
  let least = Infinity;
  for (const each of all) {
    const [begins, ends] = span(each);
    const away = Math.max(begins - time, time - ends, 0);
    if (away < least) [best, least] = [each, away];
  }
  return best;
}
