// What is looked at, as the part of the address after its `#`: `#/conn/28/frame/4?view=ending&panel=search`.

import { EVERYTHING } from "./wanted.js";

/** @typedef {import("./wanted.js").Wanted} Wanted */

/**
 * @typedef {object} Place  What an address says; what it leaves out is as it is by default.
 * @property {number | null} conn
 * @property {number | null} i  an entry's index
 * @property {number | null} n  a frame's number
 * @property {string} view  of the connection: `frames`, `handshake`, …
 * @property {string} panel  at the right; `none` for none, "" for the one that the window's width suggests
 * @property {Wanted} filter  of the connection's entries
 * @property {Wanted} search  among all connections
 * @property {number | null} other  the connection that this one is compared with
 * @property {"relative" | "clock"} times
 */

/** @type {Place} */
export const NOWHERE = {
  conn: null,
  i: null,
  n: null,
  view: "frames",
  panel: "",
  filter: EVERYTHING,
  search: EVERYTHING,
  other: null,
  times: "relative",
};

const VIEWS = new Set(["frames", "handshake", "ending", "statistics", "compare"]);
/** Before the names of what is searched for among all, which are those of the filter as well. */
const ALL = "all.";

/** @param {Place} place */
export function toHash(place) {
  const { conn, i, n, view, panel, filter, search, other, times } = place;
  const which = n !== null ? `/frame/${n}` : i !== null ? `/entry/${i}` : "";
  const path = conn === null ? "/" : `/conn/${conn}${which}`;
  const query = new URLSearchParams();
  if (view !== NOWHERE.view) query.set("view", view);
  if (panel) query.set("panel", panel);
  if (other !== null) query.set("with", String(other));
  if (times !== NOWHERE.times) query.set("times", times);
  for (const [prefix, wanted] of /** @type {[string, Wanted][]} */ ([["", filter], [ALL, search]])) {
    for (const [name, value] of Object.entries(wanted)) if (value) query.set(prefix + name, value === true ? "1" : value);
  }
  const rest = query.toString();
  return path === "/" && !rest ? "" : `#${path}${rest && `?${rest}`}`;
}

/**
 * The place that an address names; what is wrong in it is as if it were not there.
 * @param {string} hash with its `#`, or ""
 * @returns {Place}
 */
export function fromHash(hash) {
  const [path, rest = ""] = hash.replace(/^#/, "").split(/\?(.*)/s, 2);
  const query = new URLSearchParams(rest);
  const [, conn, kind, number] = /^\/conn\/(\d{1,15})(?:\/(frame|entry)\/(\d{1,15}))?\/?$/.exec(path) ?? [];
  const view = query.get("view") ?? "";
  const other = /^\d{1,15}$/.exec(query.get("with") ?? "");
  return {
    conn: conn === undefined ? null : Number(conn),
    i: kind === "entry" ? Number(number) : null,
    n: kind === "frame" ? Number(number) : null,
    view: VIEWS.has(view) ? view : NOWHERE.view,
    panel: query.get("panel") ?? "",
    filter: wantedOf(query, ""),
    search: wantedOf(query, ALL),
    other: other && Number(other[0]),
    times: query.get("times") === "clock" ? "clock" : "relative",
  };
}

/** @param {URLSearchParams} query @param {string} prefix @returns {Wanted} */
function wantedOf(query, prefix) {
  /** @param {string} name */
  const said = (name) => query.get(prefix + name) ?? "";
  const found = { side: said("side"), opcode: said("opcode"), kind: said("kind"), text: said("text"), path: said("path") };
  return { ...found, problems: said("problems") === "1" };
}
