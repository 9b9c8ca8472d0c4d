// Round trips of pings over time, as a picture: where each point stands, and its lines.

import { clock, duration } from "./format.js";
import { niceStep } from "./timescale.js";

export const WIDTH = 640;
export const HEIGHT = 160;
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 24, 14, 20];

/**
 * @typedef {[at: number, took: number, n: number]} Trip
 * @typedef {{x: number, y: number, n: number, words: string}} Point
 * @typedef {{x: number, y: number, words: string}} Line
 */

/**
 * @param {Trip[]} trips
 * @param {[at: number, n: number][]} waiting  pings without an answer
 * @param {number} from
 * @param {number} to  seconds, the time that is shown
 * @returns {{points: Point[], lost: Point[], across: Line[], down: Line[], right: number, bottom: number}}
 */
export function laidOut(trips, waiting, from, to) {
  const slowest = trips.reduce((most, [, took]) => Math.max(most, took), 0) || 0.001;
  const span = Math.max(to - from, 1e-3);
  const [right, bottom] = [WIDTH - RIGHT, HEIGHT - BOTTOM];
  const step = niceStep(slowest / 3);
  const top = Math.ceil((slowest / step) * (1 - 1e-9)) * step;
  /** @param {number} at */
  const x = (at) => LEFT + ((at - from) / span) * (right - LEFT);
  /** @param {number} took */
  const y = (took) => bottom - (Math.max(0, took) / top) * (bottom - TOP);
  const across = [];
  for (let index = 0; index * step <= top * 1.0001; index++) across.push({ x: LEFT, y: y(index * step), words: duration(index * step) });
  const second = niceStep(span / 6);
  const down = [];
  for (let index = 0; index * second <= span * 1.0001; index++) {
    down.push({ x: x(from + index * second), y: bottom, words: `${clock(index * second, second)}${index * second < 60 ? " s" : ""}` });
  }
  return {
    points: trips.map(([at, took, n]) => ({ x: x(at), y: y(took), n, words: `frame ${n}: ${duration(took)}` })),
    lost: waiting.map(([at, n]) => ({ x: x(at), y: TOP - 4, n, words: `frame ${n}: no answer` })),
    across,
    down,
    right,
    bottom,
  };
}

/**
 * The point that is nearest to a place, if one is near.
 * @param {Point[]} points
 * @param {number} x
 * @param {number} y
 */
export function nearestPoint(points, x, y) {
  let best = null;
  let least = 12 ** 2;
  for (const point of points) {
    const away = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (away <= least) [best, least] = [point, away];
  }
  return best;
}
