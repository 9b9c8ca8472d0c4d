// What is looked at, as an address and back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fromHash, NOWHERE, toHash } from "../../../addons/hangup/web/page/permalink.js";
import { EVERYTHING } from "../../../addons/hangup/web/page/wanted.js";

test("an address is short and can be read", () => {
  assert.equal(toHash(NOWHERE), "");
  assert.equal(toHash({ ...NOWHERE, conn: 28, n: 4 }), "#/conn/28/frame/4");
  assert.equal(toHash({ ...NOWHERE, conn: 28, i: 9, panel: "none" }), "#/conn/28/entry/9?panel=none");
  const filter = { ...EVERYTHING, side: "client", problems: true };
  assert.equal(toHash({ ...NOWHERE, conn: 2, view: "ending", filter }), "#/conn/2?view=ending&side=client&problems=1");
  assert.equal(toHash({ ...NOWHERE, panel: "search" }), "#/?panel=search");
});

test("what an address says is what was looked at, whatever stands in it", () => {
  const odd = "a&b=c#d/é?ö +%25 \u202e";
  const place = {
    conn: 3,
    i: null,
    n: 7,
    view: "compare",
    panel: "search",
    filter: { ...EVERYTHING, text: odd, path: '$.a=="x"', kind: "order" },
    search: { side: "server", opcode: "text", kind: "", text: odd, path: "", problems: true },
    other: 12,
    times: /** @type {const} */ ("clock"),
  };
  assert.deepEqual(fromHash(toHash(place)), place);
  assert.deepEqual(fromHash(new URL(toHash(place), "http://localhost/hangup/").hash), place);
});

test("what is wrong is as if it were not there", () => {
  for (const hash of ["", "#", "#/", "#/conn", "#/conn/x/frame/4", "#/conn/-1", "#/conn/1e9/entry", "#/lane/1?view=nothing&with=a&times=b"]) {
    assert.deepEqual(fromHash(hash), NOWHERE, hash);
  }
  assert.equal(fromHash("#/conn/28/").conn, 28);
});
