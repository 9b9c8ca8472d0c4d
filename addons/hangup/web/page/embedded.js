// A report's source of answers: what a server would be asked for stands in the document.

import { ApiError } from "./api.js";
import { plural } from "./format.js";

/**
 * @typedef {[listed: any, more: any]} Pair  An entry as it is listed, and what there is to it beyond that.
 * @typedef {object} Told
 * @property {any} detail  of `api/connection`, beyond the overview
 * @property {any} figures  of `api/statistics`, over the whole connection
 * @property {number} total  entries that the recording has
 * @property {Pair[]} entries  those that are here
 *
 * @typedef {object} Data
 * @property {any} overview
 * @property {{from: number, to: number, px: number, lanes: Record<string, any>, actions: Record<string, any[]>, logs: any[]}} ticks
 * @property {Record<string, Told>} connections
 * @property {any} why
 */

/** @param {Data} data @returns {import("./api.js").Source} */
export function embedded(data) {
  /** @type {Map<number, any>} */
  const connections = new Map(data.overview.connections.map((/** @type {any} */ each) => [each.conn, each]));
  /** @type {Map<number, Rows>} */
  const rows = new Map();
  /** @param {number} conn */
  const rowsOf = (conn) => {
    const connection = connections.get(conn);
    if (!connection) throw new ApiError(`connection ${conn} is not in this report`, 404);
    let found = rows.get(conn);
    if (!found) rows.set(conn, (found = rowsMade(connection, data.connections[conn])));
    return found;
  };
  /** @type {Record<string, (params: Record<string, any>) => any>} */
  const answers = {
    overview: () => data.overview,
    why: () => data.why,
    ticks: (params) => ticks(data.ticks, params, rowsOf),
    connection: ({ conn }) => ({ ...connections.get(conn), ...data.connections[conn]?.detail, entries: rowsOf(conn).pairs.length }),
    entries: (params) => entries(rowsOf(params.conn), params),
    entry: ({ conn, i = null, n = null }) => entry(rowsOf(conn), conn, i, n),
    find: (params) => find(rowsOf(params.conn), params),
    statistics: ({ conn }) => {
      const told = data.connections[conn];
      if (!told) throw new ApiError(`the statistics of connection ${conn} are not in this report; the recording has them`, 404);
      return { conn, ...told.figures };
    },
  };
  return async (path, params) => {
    const answer = answers[path];
    if (!answer) throw new ApiError("a report does not have this", 404);
    return answer(params);
  };
}

/** @typedef {{pairs: Pair[], place: Map<number, number>}} Rows  `place`: where an entry's number in the recording stands here. */

/**
 * A connection's entries without gaps in their numbers: a remark stands for what is left out.
 * @param {any} connection
 * @param {Told | undefined} told
 * @returns {Rows}
 */
function rowsMade(connection, told) {
  /** @type {Pair[]} */
  const pairs = [];
  const place = new Map();
  /** @param {number} at @param {string} text */
  const remark = (at, text) => pairs.push([{ i: pairs.length, at, kind: "note", text }, { problems: [] }]);
  if (!told) {
    remark(connection.at, "What went over this connection is not in this report; the recording has it.");
    return { pairs, place };
  }
  let next = 0;
  for (const [listed, more] of told.entries) {
    if (listed.i > next) remark(listed.at, `${plural(listed.i - next, "event")} left out of this report`);
    next = listed.i + 1;
    place.set(listed.i, pairs.length);
    pairs.push([{ ...listed, i: pairs.length }, more]);
  }
  if (told.total > next) remark(connection.ended ?? connection.at, `${plural(told.total - next, "event")} left out of this report`);
  return { pairs, place };
}

/** @param {Rows} rows @param {Record<string, any>} params */
function entries({ pairs }, { from = 0, count = 200, list = "" }) {
  const wanted = list ? String(list).split(",").map(Number).map((i) => pairs[i]).filter(Boolean) : pairs.slice(from, from + count);
  return { total: pairs.length, entries: wanted.map(([listed]) => listed) };
}

/** @param {Rows} rows @param {number} conn @param {number | null} i @param {number | null} n */
function entry({ pairs }, conn, i, n) {
  const found = i !== null ? pairs[i] : pairs.find(([listed]) => listed.kind === "frame" && listed.n === n);
  if (!found) throw new ApiError(`frame ${n ?? i} of connection ${conn} is not in this report`, 404);
  return { ...found[0], ...found[1], i: found[0].i };
}

/** @param {Rows} rows @param {Record<string, any>} query */
function find({ pairs }, { side, opcode, kind, text, path, problems, from = 0 }) {
  if (path) return { matches: [], next: null, upto: pairs.length, error: "a report has no search by JSON path" };
  const needle = String(text ?? "").toLowerCase();
  /** @param {Pair} pair */
  const fits = ([listed, more]) => {
    if (side && listed.side !== side) return false;
    if (kind && more.message_kind !== kind) return false;
    if (problems && !listed.problems?.length) return false;
    if (opcode === "heartbeat" ? !listed.heartbeat : opcode && opcode !== (listed.kind === "frame" ? listed.opcode : listed.kind)) return false;
    const said = [listed.preview, listed.text, listed.reason, listed.code, more.text];
    return !needle || said.some((each) => String(each ?? "").toLowerCase().includes(needle));
  };
  const matches = pairs.filter((pair) => pair[0].i >= from && fits(pair)).map(([listed]) => listed.i);
  return { matches, next: null, upto: pairs.length };
}

/**
 * What is drawn in a window of time. Marks that are here by number only (`bins`) are spread over the window's own pixels.
 * @param {Data["ticks"]} all
 * @param {Record<string, any>} params
 * @param {(conn: number) => Rows} rowsOf
 */
function ticks(all, { from = 0, to = all.to, px = 1000, conns = "" }, rowsOf) {
  /** @param {[number, ...any[]]} each */
  const within = ([at]) => from <= at && at < to;
  /** @type {{lanes: Record<string, any>, actions: Record<string, any[]>, logs: any[]}} */
  const answer = { lanes: {}, actions: {}, logs: all.logs.filter(within) };
  for (const conn of String(conns).split(",").filter(Boolean)) {
    const lane = all.lanes[conn];
    if (!lane) continue;
    if (lane.ticks) {
      const { place } = rowsOf(Number(conn));
      answer.lanes[conn] = {
        ticks: lane.ticks.filter(within).map((/** @type {any} */ [at, side, kind, i]) => [at, side, kind, place.get(i) ?? null]),
      };
    } else answer.lanes[conn] = { bins: spread(lane.bins, all, from, to, px) };
    answer.actions[conn] = (all.actions[conn] ?? []).filter(within);
  }
  return answer;
}

/**
 * @param {Record<string, [number, number][]>} bins
 * @param {{from: number, to: number, px: number}} of  the window that they are of
 * @param {number} from @param {number} to @param {number} px
 */
function spread(bins, of, from, to, px) {
  /** @type {Record<string, [number, number][]>} */
  const found = {};
  for (const [name, counts] of Object.entries(bins)) {
    /** @type {Map<number, number>} */
    const sums = new Map();
    for (const [x, count] of counts) {
      const at = of.from + ((x + 0.5) * (of.to - of.from)) / of.px;
      if (at < from || at >= to) continue;
      const here = Math.floor(((at - from) / (to - from)) * px);
      sums.set(here, (sums.get(here) ?? 0) + count);
    }
    if (sums.size) found[name] = [...sums];
  }
  return found;
}
