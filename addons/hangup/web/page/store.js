// What the page knows, in one object, and who is told when it changes.

import { isFolded, keyOf, layRows, NO_ROWS } from "./rows.js";
import { useEffect, useReducer, useRef } from "./vendor/preact-htm.js";
import { EVERYTHING } from "./wanted.js";

/**
 * @typedef {"client" | "server"} Side
 * @typedef {"open" | "clean" | "abnormal" | "refused" | "proxy" | "untold"} Class
 *
 * @typedef {object} Connection  A connection as `api/overview` tells it. Times are seconds from the recording's start.
 * @property {number} conn
 * @property {number} at  when it was asked for
 * @property {number | null} opened
 * @property {number | null} ended
 * @property {number | null} until  of one whose ending is not told: when it was last seen
 * @property {string} client
 * @property {string} path
 * @property {number | null} status
 * @property {string | null} origin
 * @property {"app" | "hmr" | "test"} kind
 * @property {string | null} by
 * @property {string | null} how
 * @property {number | null} code
 * @property {string | null} reason
 * @property {boolean} clean
 * @property {number | null} browser_code
 * @property {Class} class
 * @property {string} sentence
 * @property {Record<Side, number>} frames
 * @property {Record<Side, number>} messages
 * @property {Record<Side, number>} bytes
 * @property {number} heartbeats
 * @property {number} problems
 * @property {number} filtered
 * @property {number | null} loop
 *
 * @typedef {object} Loop
 * @property {number[]} conns  of very many, the last
 * @property {number} [begins]  the first of all
 * @property {string} sentence
 * @property {number} gap  median, seconds
 * @property {number} lifetime  median, seconds
 * @property {string} [path]
 * @property {number} [count]
 * @property {number} [failed]  handshakes
 * @property {string} [by]
 * @property {string} [how]
 * @property {boolean} [backing_off]
 * @property {boolean} [going_on]
 * @property {number | null} [settled]  the connection that ended it by staying open
 *
 * @typedef {{path: string, failed: boolean}} Choice  A pattern for the path, and whether only those that failed.
 * @typedef {{at: number, action: string, filter: string}} Mark
 * @typedef {{id: number, name: string, filter: string, on: boolean, hits: number}} FilterState
 * @typedef {{conn: number, i: number | null, n: number | null, quietly: boolean}} Selection  `i` is an entry; `n` its
 *   number as a frame, which alone may be known at first; `quietly`: its lane need not be brought into sight.
 *
 * @typedef {object} State
 * @property {boolean} loaded  whether the first overview has come
 * @property {boolean} live  whether the recording is being written
 * @property {boolean} readonly  whether there is no proxy to drive
 * @property {boolean} alone  whether there is no server to ask, this being a report
 * @property {boolean} connected  whether the live socket is open
 * @property {boolean} complete  whether the whole file has been read
 * @property {Record<string, any>} header
 * @property {string} path
 * @property {number} size
 * @property {number} indexed
 * @property {number} rev
 * @property {number} now
 * @property {Map<number, Connection>} connections
 * @property {number[]} order  their numbers, newest first
 * @property {Choice} choice  which of the recording's connections these are
 * @property {number} total  how many the recording has
 * @property {number} fitting  how many of these fit the choice
 * @property {Loop[]} loops
 * @property {Map<number, boolean>} folds  which loops somebody has folded or opened, by key
 * @property {import("./rows.js").Rows} rows  the lanes; they follow from `order`, `loops` and `folds`
 * @property {Mark[]} marks
 * @property {number} logs
 * @property {string[]} notes
 * @property {FilterState[]} filters
 * @property {string | null} bisect  phase of the live bisect
 * @property {string} trouble  why nothing can be recorded at present; empty while all is well
 * @property {Selection | null} selected
 * @property {{events: number, since: number, until: number} | null} missed
 * @property {number} looping  connections of the longest loop that goes on
 * @property {import("./notices.js").Notice[]} notices  the latest last
 * @property {string | null} problem  why the server cannot be asked
 * @property {string | null} tab  the drawer's, or null when it is closed
 * @property {string} view  of the selected connection
 * @property {import("./wanted.js").Wanted} filter  of its entries
 * @property {import("./wanted.js").Wanted} search  among all connections
 * @property {number | null} other  the connection that it is compared with
 * @property {"relative" | "clock"} times
 */

/** @returns {State} */
function nothing() {
  return {
    loaded: false,
    live: false,
    readonly: true,
    alone: false,
    connected: false,
    complete: false,
    header: {},
    path: "",
    size: 0,
    indexed: 0,
    rev: 0,
    now: 0,
    connections: new Map(),
    order: [],
    choice: { path: "", failed: false },
    total: 0,
    fitting: 0,
    loops: [],
    folds: new Map(),
    rows: NO_ROWS,
    marks: [],
    logs: 0,
    notes: [],
    filters: [],
    bisect: null,
    trouble: "",
    selected: null,
    missed: null,
    looping: 0,
    notices: [],
    problem: null,
    tab: null,
    view: "frames",
    filter: EVERYTHING,
    search: EVERYTHING,
    other: null,
    times: "relative",
  };
}

export class Store {
  constructor() {
    this.state = nothing();
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /**
   * Changes some of the state and tells everybody.
   * @param {Partial<State>} patch
   */
  set(patch) {
    const { order, loops, folds } = this.state;
    Object.assign(this.state, patch);
    const now = this.state;
    if (now.order !== order || now.loops !== loops || now.folds !== folds) now.rows = layRows(now.order, now.loops, now.folds);
    for (const listener of [...this.listeners]) listener();
  }

  /**
   * @param {() => void} listener
   * @returns {() => void} ends it
   */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Takes an answer of `api/overview`; `anew` where its connections are all that there are to be.
   * @param {any} overview
   * @param {boolean} [anew]
   */
  merge(overview, anew = false) {
    const state = this.state;
    // The map's identity changes with its content, so that it can be compared by ===.
    let { connections, order } = state;
    if (overview.connections.length || !state.loaded || anew) {
      connections = state.loaded && !anew ? copied(connections, overview.connections) : new Map();
      const before = anew ? -1 : connections.size;
      for (const each of overview.connections) connections.set(each.conn, each);
      const more = connections.size !== before;
      for (const conn of connections.keys()) {
        if (conn >= (overview.earliest ?? 0)) break;
        if (conn !== state.selected?.conn) connections.delete(conn);
      }
      if (more) order = [...connections.keys()].sort((a, b) => b - a);
    }
    this.set({
      loaded: true,
      live: overview.live,
      readonly: overview.readonly,
      complete: overview.complete,
      header: same(state.header, overview.header),
      path: overview.path,
      size: overview.size,
      indexed: overview.indexed,
      rev: overview.rev,
      now: Math.max(state.now, overview.now),
      connections,
      order,
      total: overview.total ?? connections.size,
      fitting: overview.fitting ?? connections.size,
      loops: same(state.loops, overview.loops),
      marks: same(state.marks, overview.marks),
      logs: overview.logs,
      notes: same(state.notes, overview.notes ?? []),
    });
  }

  /** Adds a connection that is not among those that were told of. @param {Connection} connection */
  add(connection) {
    const connections = new Map(this.state.connections).set(connection.conn, connection);
    this.set({ connections, order: [...connections.keys()].sort((a, b) => b - a) });
  }

  /**
   * Selects a connection, and in it an entry (by its index `i`, or as frame `n`).
   * @param {number | null} conn
   * @param {{i?: number | null, n?: number | null, quietly?: boolean}} [which]
   */
  select(conn, { i = null, n = null, quietly = false } = {}) {
    const selected = conn === null ? null : { conn, i, n, quietly };
    // An entry that is selected is to be seen.
    this.set(i === null && n === null ? { selected } : { selected, view: "frames" });
  }

  /** Folds a loop, or opens it. @param {Loop} loop */
  fold(loop) {
    const { folds } = this.state;
    this.set({ folds: new Map(folds).set(keyOf(loop), !isFolded(loop, folds)) });
  }

  /** The selected connection, if it is there. */
  get connection() {
    const { selected, connections } = this.state;
    return selected ? connections.get(selected.conn) ?? null : null;
  }
}

/**
 * A new Map of the same content: but in place above a size where copying ten times a second would cost too much.
 * @param {Map<number, Connection>} map
 * @param {unknown[]} changes
 */
function copied(map, changes) {
  return map.size > 20_000 && changes.length < 100 ? map : new Map(map);
}

/**
 * The old value when the new one says the same.
 * @template T
 * @param {T} before
 * @param {T} after
 * @returns {T}
 */
function same(before, after) {
  return JSON.stringify(before) === JSON.stringify(after) ? before : after;
}

/**
 * A part of the state; the component is drawn again when that part is another (by ===).
 * @template T
 * @param {Store} store
 * @param {(state: State) => T} choose
 * @returns {T}
 */
export function useStore(store, choose) {
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const part = choose(store.state);
  const held = useRef({ part, choose });
  held.current = { part, choose };
  useEffect(() => {
    const look = () => {
      const { part, choose } = held.current;
      if (choose(store.state) !== part) redraw(0);
    };
    look();
    return store.subscribe(look);
  }, [store]);
  return part;
}
