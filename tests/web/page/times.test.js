// Moments of the recording in words, and the round ones of a window.

import assert from "node:assert/strict";
import { test } from "node:test";

import { miniature } from "../../../addons/hangup/web/page/miniature.js";
import { Times } from "../../../addons/hangup/web/page/times.js";
import { TimeWindow } from "../../../addons/hangup/web/page/timescale.js";

process.env.TZ = "Asia/Kolkata";
const started = "2026-11-22T21:08:00.123456Z";

test("from the recording's start", () => {
  const times = new Times(started, "relative");
  assert.deepEqual([0, 12.3456, 65.5].map((at) => times.moment(at)), ["0.000 s", "12.346 s", "1:05.500"]);
  assert.equal(times.moment(59.9999), "1:00.000");
  assert.equal(times.origin, 0);
});

test("by the clock on the wall, where the page is", () => {
  const times = new Times(started, "clock");
  assert.equal(times.moment(0), "02:38:00.123");
  assert.equal(times.moment(0, 1e-6), "02:38:00.123456");
  assert.equal(times.moment(59.8765, 1), "02:39:00");
  assert.equal(times.moment(0.8764, 0.001), "02:38:01.000");
  assert.ok(Math.abs(times.origin - (2 * 3600 + 38 * 60 + 0.123456)) < 1e-5);
});

test("a recording that does not say when it began has no clock", () => {
  for (const none of [undefined, "", "yesterday"]) {
    const times = new Times(none, "clock");
    assert.deepEqual([times.known, times.byClock, times.moment(1)], [false, false, "1.000 s"]);
  }
});

test("the axis has its numbers at round times of the day", () => {
  const view = new TimeWindow();
  view.now = 600;
  view.fitTo(0, 600);
  view.origin = new Times(started, "clock").origin;
  const { step, at } = view.numbers(800);
  assert.equal(step, 120);
  assert.deepEqual(at.map((each) => new Times(started, "clock").moment(each, step)), ["02:40:00", "02:42:00", "02:44:00", "02:46:00", "02:48:00"]);
  view.origin = 0;
  assert.deepEqual(view.numbers(800).at, [0, 120, 240, 360, 480, 600]);
});

test("all lanes in a small picture, and none that failed is lost", () => {
  /** @type {any[]} */
  const all = Array.from({ length: 1000 }, (_, index) => ({ conn: index + 1, at: index, class: index === 499 ? "abnormal" : "clean" }));
  const connections = new Map(all.map((each) => [each.conn, each]));
  const rows = all.map(({ conn }) => ({ conn, loop: null, conns: null }));
  const strokes = miniature(rows, connections, ({ at }) => at + 5, 100);
  assert.equal(strokes.length, 100);
  assert.deepEqual(strokes[0], { y: 0, height: 1, from: 0, to: 14, class: "clean" });
  assert.deepEqual(strokes.flatMap((stroke, index) => (stroke.class === "abnormal" ? [index] : [])), [49]);
  assert.deepEqual(miniature(rows.slice(0, 2), connections, ({ at }) => at, 100).map(({ y, height }) => [y, height]), [[0, 50], [50, 50]]);
  assert.deepEqual(miniature([], connections, () => 0, 100), []);
});
