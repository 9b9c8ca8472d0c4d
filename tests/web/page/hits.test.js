// What a search among all connections has found, as the rows of a list.

import assert from "node:assert/strict";
import { test } from "node:test";

import { parted, since } from "../../../addons/hangup/web/page/entrywords.js";
import { Hits, SHOWN } from "../../../addons/hangup/web/page/hits.js";

/** @param {number} from @param {number} count */
const entries = (from, count) => Array.from({ length: count }, (_, index) => ({ i: from + index, at: 0, kind: "frame" }));

test("hits of one connection stay together, and those beyond the first are counted", () => {
  const hits = new Hits();
  hits.add([{ conn: 3, count: 2, hits: entries(0, 2) }]);
  hits.add([{ conn: 1, count: 1, hits: entries(9, 1) }, { conn: 3, count: 100, hits: entries(2, 20) }]);
  hits.add([]);
  assert.equal(hits.count, 103);
  const rows = hits.rows.map((row) => row.entry?.i ?? (row.more ? `${row.more} more` : `#${row.conn}`));
  assert.deepEqual(rows, ["#3", ...Array(SHOWN).keys(), "82 more", "#1", 9]);
});

test("what was looked for is told apart, in any case of its letters", () => {
  assert.deepEqual(parted('{"a":"Ping"} ping', "PING"), ['{"a":"', "Ping", '"} ', "ping", ""]);
  assert.deepEqual(parted("abc", "x"), ["abc"]);
  assert.deepEqual(parted("abc", ""), ["abc"]);
  assert.deepEqual(parted("İping", "ping"), ["İping"]);
});

test("times past a minute keep their milliseconds", () => {
  assert.deepEqual([0, 0.0123, 59.9, 60.0004, 65.123, 3725.5].map(since), ["+0 ms", "+12 ms", "+59.9 s", "+1:00.000", "+1:05.123", "+1:02:05.500"]);
  assert.equal(since(-0.5), "−500 ms");
});
