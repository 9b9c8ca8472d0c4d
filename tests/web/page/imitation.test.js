// The form of Test Connection, filled in as an application's connection goes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fieldsOf } from "../../../addons/hangup/web/page/imitation.js";

const said = { conn: 3, path: "/ws?a=1", protocols: "graphql-ws", messages: ['{"type":"hello"}', "hex:00ff"], beat: null, every: null };

test("path, subprotocol and first messages", () => {
  assert.deepEqual(fieldsOf(said), { path: "/ws?a=1", protocols: "graphql-ws", messages: '{"type":"hello"}\nhex:00ff', beat: "none" });
});

test("a heartbeat in the form that the panel has for it", () => {
  /** @param {string} beat */
  const field = (beat) => {
    const { path, protocols, messages, ...rest } = fieldsOf({ ...said, beat, every: 0.15 });
    return rest;
  };
  assert.deepEqual(field("ping"), { beat: "text", every: "0.15" });
  assert.deepEqual(field(""), { beat: "empty", every: "0.15" });
  assert.deepEqual(field("2"), { beat: "engine.io", every: "0.15" });
  assert.deepEqual(field('{"op":"hb"}'), { beat: "json", key: "op", word: "hb", every: "0.15" });
  for (const other of ['{"op":"hb","n":1}', '{"op": "hb"}', '{"op":1}', "{}", "[]", "null", "hex:c000", "♥"]) {
    assert.deepEqual(field(other), { beat: "custom", custom: other, every: "0.15" }, other);
  }
});
