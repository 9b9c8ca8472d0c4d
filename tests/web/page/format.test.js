// Numbers, times and foreign text in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, duration, listed, plural, precise, size, visible, visibleLines } from "../../../addons/hangup/web/page/format.js";

test("durations as the command line says them", () => {
  const said = [0, 0.0003, 0.012, 0.9996, 4.021, 59.94, 59.96, 125, 3599.6, 11520, 90000].map(duration);
  assert.deepEqual(said, ["0 ms", "0.3 ms", "12 ms", "1.00 s", "4.02 s", "59.9 s", "1 min", "2 min 5 s", "1 h", "3 h 12 min", "1 d 1 h"]);
  assert.deepEqual([duration(null), duration(NaN), duration(-0.5)], ["?", "?", "−500 ms"]);
});

test("a moment has as many decimals as its neighbours need", () => {
  assert.equal(clock(1.23456), "1.235");
  assert.equal(clock(61.5), "1:01.500");
  assert.equal(clock(3725.5, 1), "1:02:06");
  assert.equal(clock(59.9996), "1:00.000");
  assert.equal(clock(-1, 0.1), "−1.0");
});

test("sizes and counts", () => {
  assert.deepEqual([0, 1023, 1024, 1 << 20, 5e9].map(size), ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "4.7 GiB"]);
  assert.deepEqual([plural(1, "frame"), plural(12345, "frame")], ["1 frame", "12,345 frames"]);
  assert.deepEqual([listed([]), listed(["a"]), listed(["a", "b", "c"])], ["", "a", "a, b and c"]);
});

test("nothing invisible passes", () => {
  assert.equal(visible("a\u202eb\u0000c\nd\ud800"), "a\\u202eb\\x00c\\nd\\ud800");
  assert.equal(visible("abcdef", 4), "abc…");
  assert.equal(visibleLines("a\tb\nc\u200b"), "a\tb\nc\\u200b");
});

test("a duration with its milliseconds, however long", () => {
  const said = [0.012, 59.9, 59.9996, 125.1234, 7325.5, -65].map(precise);
  assert.deepEqual(said, ["12 ms", "59.9 s", "1 min 0.000 s", "2 min 5.123 s", "2 h 2 min 5.500 s", "−1 min 5.000 s"]);
});
