// Which connections are offered to be compared with one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { comparable } from "../../../addons/hangup/web/page/comparable.js";

/** @param {number} conn @param {string} path @param {string} kind @returns {any} */
const made = (conn, path, kind) => ({ conn, path, class: kind });

test("of the same route first, and of these those that ended otherwise, the nearest first", () => {
  const mine = made(5, "/ws/client-5?t=1", "abnormal");
  const all = [
    made(1, "/ws/client-1", "clean"),
    made(2, "/other", "clean"),
    made(3, "/ws/client-3?t=2", "clean"),
    made(4, "/ws/client-4", "abnormal"),
    mine,
    made(6, "/other", "abnormal"),
    made(7, "/ws/client-7", "abnormal"),
  ];
  assert.deepEqual(comparable(mine, all).map(({ conn }) => conn), [3, 1, 4, 7, 2, 6]);
  assert.deepEqual(comparable(mine, [mine]), []);
});

test("no more than a person can choose from", () => {
  const all = Array.from({ length: 5000 }, (_, conn) => made(conn, "/ws", "clean"));
  assert.equal(comparable(all[9], all).length, 200);
});
