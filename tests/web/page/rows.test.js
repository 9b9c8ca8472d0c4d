// Which lanes the timeline has.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isFolded, layRows, LONG, nearest, within } from "../../../addons/hangup/web/page/rows.js";

/** @param {number[]} conns */
const loop = (conns) => ({ conns, sentence: "", gap: 0, lifetime: 0 });
/** @param {import("../../../addons/hangup/web/page/rows.js").Rows} rows */
const shown = ({ list }) => list.map(({ conn, conns, loop }) => `${conn}${conns ? `×${conns.length}` : loop ? "▾" : ""}`);

const order = [9, 8, 7, 6, 5, 4, 3, 2, 1];
const loops = [loop([1, 3, 5]), loop([2, 4, 8])];

test("a loop that is folded is one lane, where its newest connection stands", () => {
  assert.deepEqual(shown(layRows(order, loops, new Map())), ["9", "8▾", "7", "6", "5▾", "4", "3", "2", "1"]);
  const rows = layRows(order, loops, new Map([[2, true]]));
  assert.deepEqual(shown(rows), ["9", "8×3", "7", "6", "5▾", "3", "1"]);
  assert.deepEqual([9, 8, 4, 2, 5, 1, 99].map((conn) => rows.at.get(conn)), [0, 1, 1, 1, 4, 6, undefined]);
});

test("long loops are folded until somebody opens them, and stay as chosen while they grow", () => {
  const long = loop(Array.from({ length: LONG + 1 }, (_, index) => index + 1));
  assert.equal(isFolded(long, new Map()), true);
  assert.equal(isFolded(loop(long.conns.slice(1)), new Map()), false);
  assert.equal(isFolded(loop([...long.conns, 99]), new Map([[1, false]])), false);
});

test("a loop whose connections are not known yet takes no lane away", () => {
  assert.deepEqual(shown(layRows([2, 1], [loop([1, 2, 3])], new Map([[1, true]]))), ["2", "1"]);
});

/** @param {[number, number]} each */
const span = (each) => each;

test("of a folded loop, what is there at a time", () => {
  /** @type {[number, number][]} */
  const all = [[0, 1], [2, 3], [4, 5]];
  assert.deepEqual(within(all, span, 0.5, 2.5, 9), [[0, 1], [2, 3]]);
  assert.deepEqual(within(all, span, 0, 9, 2), []);
  assert.deepEqual([-1, 0.5, 1.4, 1.6, 9].map((time) => nearest(all, span, time)), [[0, 1], [0, 1], [0, 1], [2, 3], [4, 5]]);
  assert.equal(nearest([], span, 0), null);
});
