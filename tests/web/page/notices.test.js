// What somebody who looks elsewhere is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { longest, loopNotices, titleOf, verdictNotice } from "../../../addons/hangup/web/page/notices.js";
import { outlives, settled } from "../../../addons/hangup/web/page/settling.js";

/** @param {number[]} conns @param {object} [more] */
const loop = (conns, more) => ({ conns, sentence: "", gap: 1, lifetime: 1, path: "/ws", going_on: true, ...more });
/** @param {any[]} before @param {any[]} after */
const told = (before, after) => loopNotices(before, after).map(({ kind, words, conn }) => [kind, words, conn]);

test("a loop that begins, goes on, stops and begins again", () => {
  assert.deepEqual(told([], [loop([1, 2, 3])]), [["bad", "A reconnect loop on /ws", 3]]);
  assert.deepEqual(told([loop([1, 2, 3])], [loop([1, 2, 3, 4])]), []);
  const stopped = loop([1, 2, 3, 4], { going_on: false, settled: 5 });
  assert.deepEqual(told([loop([1, 2, 3, 4])], [stopped]), [["good", "The loop of 4 on /ws stopped: connection 5 stays open", 5]]);
  assert.deepEqual(told([stopped], [stopped]), []);
  assert.deepEqual(told([stopped], [loop([1, 2, 3, 4, 5, 6])]), [["bad", "A reconnect loop on /ws", 6]]);
  assert.deepEqual(told([loop([1, 2, 3])], [loop([1, 2, 3], { going_on: false, settled: null })]), [["good", "The loop of 3 on /ws stopped", 3]]);
});

test("a loop that had ended when it was found is no news", () => {
  assert.deepEqual(told([], [loop([1, 2, 3], { going_on: false })]), []);
});

test("a verdict", () => {
  assert.equal(verdictNotice({ phase: "idle" }), null);
  const proved = verdictNotice({ headline: "proved: heartbeat/app-ping-kills", verdict: { proved: true }, conn: 7 });
  assert.deepEqual(proved, { key: "bisect", kind: "good", words: "proved: heartbeat/app-ping-kills", conn: 7 });
});

test("the title says what is the matter", () => {
  const [target, notices] = ["ws://localhost:8000", /** @type {any[]} */ ([])];
  assert.equal(titleOf({ target, looping: 0, notices }), "ws://localhost:8000 – hangup");
  assert.equal(titleOf({ target: "", looping: 0, notices }), "hangup");
  assert.equal(titleOf({ target, looping: 3, notices }), "⟲ 3 ws://localhost:8000 – hangup");
  const notice = /** @type {const} */ ({ key: "bisect", kind: "good", words: "proved: a/b", conn: null });
  assert.equal(titleOf({ target, looping: 3, notices: [notice] }), "✓ proved: a/b – ws://localhost:8000 – hangup");
});

test("of a live recording only the loops that go on count", () => {
  const loops = [loop([1, 2, 3]), loop([4, 5, 6, 7], { going_on: false })];
  assert.deepEqual([longest(loops, true), longest(loops, false), longest([], true)], [3, 4, 0]);
});

/** @param {number} conn @param {number} opened @param {object} [more] @returns {any} */
const connection = (conn, opened, more) => ({ conn, path: "/ws", kind: "app", opened, ended: null, ...more });

test("a loop has stopped once a connection stays open for longer than those of any loop", () => {
  const found = loop([1, 2, 3], { lifetime: 1 });
  const connections = new Map([[3, connection(3, 5, { ended: 6 })], [4, connection(4, 7)]]);
  /** @param {number} now */
  const state = (now) => ({ connections, order: [4, 3], loops: [found], live: true, now });
  assert.equal(outlives(found, state(8)), null);
  assert.deepEqual(outlives(found, state(10)), { conn: 4, lived: 3 });
  assert.equal(settled(state(10))[0].going_on, true);
  assert.deepEqual(settled(state(18)), [{ ...found, going_on: false, settled: 4 }]);
  assert.equal(settled({ ...state(18), live: false })[0].going_on, true);
});
