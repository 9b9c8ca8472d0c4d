// An entry in a line of a list: when, what, and what it says.

import { clock, duration, visible } from "./format.js";

/** @typedef {import("./entrycache.js").Entry} Entry */

/**
 * A time since a connection opened: `+12 ms`, past a minute `+1:05.123`.
 * @param {number} seconds
 */
export function since(seconds) {
  if (seconds < -0.00005) return duration(seconds);
  return seconds < 59.95 ? `+${duration(Math.max(0, seconds))}` : `+${clock(seconds)}`;
}

/** Its opcode, or what it is instead of a frame. @param {Entry} entry */
export function what(entry) {
  if (entry.kind === "frame") return visible(entry.opcode, 40) + (entry.heartbeat ? " ♥" : "");
  return visible(entry.kind, 40);
}

/** @param {Entry} entry */
export function said(entry) {
  if (entry.opcode === "close") return visible([entry.code, entry.reason].filter((part) => part || part === 0).join(" "), 300);
  return visible(entry.preview ?? entry.text ?? "", 300);
}

/** `→` from the client, `←` from the server. @param {string | null | undefined} side */
export const arrow = (side) => (side === "client" ? "→" : side === "server" ? "←" : "");

/**
 * The parts of a text, every second of which is what was looked for.
 * @param {string} text
 * @param {string} needle in any case
 * @returns {string[]}
 */
export function parted(text, needle) {
  if (!needle) return [text];
  const [low, wanted] = [text.toLowerCase(), needle.toLowerCase()];
  // Where a letter is longer in lower case, no place in one is a place in the other.
  if (low.length !== text.length) return [text];
  const parts = [];
  let from = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), text.slice(at, at + wanted.length));
    from = at + wanted.length;
  }
  return [...parts, text.slice(from)];
}
