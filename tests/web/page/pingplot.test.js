// Where the points of a plot of round trips stand.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HEIGHT, laidOut, nearestPoint, WIDTH } from "../../../addons/hangup/web/page/pingplot.js";

test("points stand by their time and how long they took, within the picture", () => {
  const { points, lost, across, down } = laidOut([[10, 0.005, 1], [15, 0.02, 5], [20, 0.01, 9]], [[18, 7]], 10, 20);
  assert.deepEqual(across.map(({ words }) => words), ["0 ms", "10 ms", "20 ms"]);
  assert.deepEqual(down.map(({ words }) => words), ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]);
  assert.equal(points[0].x, down[0].x);
  assert.equal(points[2].x, down[5].x);
  assert.equal(points[1].y, across[2].y);
  assert.equal(points[2].y, across[1].y);
  for (const { x, y } of [...points, ...lost, ...across, ...down]) assert.ok(x >= 0 && x <= WIDTH && y >= 0 && y <= HEIGHT);
  assert.deepEqual([points[1].words, lost[0].words], ["frame 5: 20 ms", "frame 7: no answer"]);
});

test("nothing, one and no time at all", () => {
  assert.deepEqual(laidOut([], [], 0, 0).points, []);
  const [only] = laidOut([[1, 0, 3]], [], 1, 1).points;
  assert.ok(Number.isFinite(only.x) && Number.isFinite(only.y));
});

test("a click takes the nearest point, if one is near", () => {
  const { points } = laidOut([[0, 0.01, 1], [10, 0.01, 2]], [], 0, 10);
  assert.equal(nearestPoint(points, points[1].x - 5, points[1].y + 3)?.n, 2);
  assert.equal(nearestPoint(points, WIDTH / 2, HEIGHT / 2), null);
});
