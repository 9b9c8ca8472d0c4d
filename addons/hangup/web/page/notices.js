// What is worth telling somebody who looks elsewhere: a loop that began or stopped, a cause that was proved.

import { number, visible } from "./format.js";
import { keyOf } from "./rows.js";

/**
 * @typedef {import("./store.js").Loop} Loop
 * @typedef {{key: string, kind: "good" | "bad", words: string, conn: number | null}} Notice  `conn` is what it is about.
 */

/**
 * What became of the loops of a live recording between two looks.
 * @param {Loop[]} before
 * @param {Loop[]} after
 * @returns {Notice[]}
 */
export function loopNotices(before, after) {
  const known = new Map(before.map((loop) => [keyOf(loop), loop]));
  /** @type {Notice[]} */
  const found = [];
  for (const loop of after) {
    const was = known.get(keyOf(loop));
    const last = loop.conns[loop.conns.length - 1];
    const where = loop.path ? ` on ${visible(loop.path, 60)}` : "";
    if (loop.going_on && !was?.going_on) {
      found.push({ key: `loop ${keyOf(loop)}`, kind: "bad", words: `A reconnect loop${where}`, conn: last });
    } else if (was?.going_on && !loop.going_on) {
      const how = loop.settled ? `: connection ${loop.settled} stays open` : "";
      const words = `The loop of ${number(loop.conns.length)}${where} stopped${how}`;
      found.push({ key: `loop ${keyOf(loop)}`, kind: "good", words, conn: loop.settled ?? last });
    }
  }
  return found;
}

/**
 * The verdict of a live bisect that has just ended.
 * @param {any} bisect an answer of `api/bisect`
 * @returns {Notice | null}
 */
export function verdictNotice({ headline, verdict, conn }) {
  if (!headline) return null;
  return { key: "bisect", kind: verdict?.proved ? "good" : "bad", words: visible(headline, 160), conn: conn ?? null };
}

/**
 * How many connections the longest loop has, of those that go on where the recording is live.
 * @param {Loop[]} loops
 * @param {boolean} live
 */
export function longest(loops, live) {
  return loops.reduce((most, { conns, going_on }) => (live && !going_on ? most : Math.max(most, conns.length)), 0);
}

/**
 * What stands in the browser's tab.
 * @param {{target: string, looping: number, notices: Notice[]}} state `looping` as `longest` has it
 */
export function titleOf({ target, looping, notices }) {
  const latest = notices[notices.length - 1];
  const sign = latest ? `${latest.kind === "good" ? "✓" : "⟲"} ${latest.words} –` : looping ? `⟲ ${number(looping)}` : "";
  return [sign, target, target ? "– hangup" : "hangup"].filter(Boolean).join(" ");
}
