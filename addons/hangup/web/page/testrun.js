// What a test of a connection does and has found, attempt by attempt, and which connection of the recording it was.

import { attempt } from "./attempt.js";

/** @typedef {import("./attempt.js").Outcome} Outcome */
/** @typedef {import("./store.js").Connection} Connection */
/** @typedef {"proxy" | "direct"} Route */
/** @typedef {{number: number, route: Route, outcome: Outcome | null, conn: number | null, unseen: boolean}} Try */
/** @typedef {{number: number, route: Route, what: string, text: string, at: number}} Line */
/**
 * @typedef {object} Form  What is written in the form, as it is written.
 * @property {string} path
 * @property {string} protocols
 * @property {string} messages
 * @property {string} beat
 * @property {string} key
 * @property {string} word
 * @property {string} custom
 * @property {string} every
 * @property {string} times
 * @property {string} hold
 * @property {boolean} direct
 */

/** Milliseconds for which the recorder's account of an ended connection is waited for. */
const PATIENCE = 4000;
/** Milliseconds between two attempts. */
const PAUSE = 250;
const LINES = 1000;
const TRIES = 200;

/** What a session has found; it stays while another panel is looked at. */
export class Session {
  constructor() {
    /** @type {Try[]} */
    this.tries = [];
    /** @type {Line[]} */
    this.lines = [];
    /** @type {AbortController | null} */
    this.running = null;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** @type {Form | null} */
    this.form = null;
    /** Whether nobody has written into the form, nor was it filled in. */
    this.untouched = true;
    /** @type {Set<number>} */
    this.matched = new Set();
    this.number = 0;
  }

  changed() {
    for (const listener of [...this.listeners]) listener();
  }

  clear() {
    this.tries = [];
    this.lines = [];
    this.changed();
  }

  /** @param {Line} line */
  say(line) {
    this.lines.push(line);
    if (this.lines.length > LINES) this.lines.splice(0, this.lines.length - LINES);
    this.changed();
  }

  /**
   * @param {import("./store.js").Store} store
   * @param {Omit<import("./attempt.js").Plan, "url">} plan
   * @param {{routes: [Route, string][], times: number}} how
   */
  async run(store, plan, { routes, times }) {
    const running = (this.running = new AbortController());
    const { signal } = running;
    this.changed();
    for (let time = 0; time < times && !signal.aborted; time++) {
      for (const [route, url] of routes) {
        if (signal.aborted) break;
        await this.once(store, route, { ...plan, url }, signal);
        await new Promise((done) => setTimeout(done, PAUSE));
      }
    }
    this.running = null;
    this.changed();
  }

  /**
   * @param {import("./store.js").Store} store
   * @param {Route} route
   * @param {import("./attempt.js").Plan} plan
   * @param {AbortSignal} signal
   */
  async once(store, route, plan, signal) {
    /** @type {Try} */
    const made = { number: ++this.number, route, outcome: null, conn: null, unseen: false };
    const before = store.state.order[0] ?? 0;
    this.tries.push(made);
    if (this.tries.length > TRIES) this.tries.shift();
    const say = (/** @type {string} */ what, /** @type {string} */ text, /** @type {number} */ at) =>
      this.say({ number: made.number, route, what, text, at });
    say("note", `connecting to ${plan.url}`, 0);
    made.outcome = await attempt(plan, say, signal);
    this.changed();
    if (route !== "proxy" || made.outcome.code === null) return;
    const path = new URL(plan.url).pathname;
    const seen = await recorded(store, (each) => each.conn > before && !this.matched.has(each.conn) && ours(each) && each.path.split("?")[0] === path);
    made.conn = seen?.conn ?? null;
    made.unseen = !seen;
    if (seen) this.matched.add(seen.conn);
    this.changed();
  }
}

/** @param {Connection} connection */
export const ours = (connection) => connection.kind === "test" || connection.origin === location.origin;

/**
 * The first connection that is looked for, once its end is known as well; null when it does not come.
 * @param {import("./store.js").Store} store
 * @param {(connection: Connection) => boolean} wanted
 * @returns {Promise<Connection | null>}
 */
function recorded(store, wanted) {
  return new Promise((resolve) => {
    const find = () => {
      const { connections, order } = store.state;
      for (let index = order.length - 1; index >= 0; index--) {
        const each = connections.get(order[index]);
        if (each && wanted(each)) return each;
      }
      return null;
    };
    const look = () => {
      const found = find();
      if (found?.ended !== null && found?.ended !== undefined) finish(found);
    };
    const finish = (/** @type {Connection | null} */ found) => {
      ended();
      clearTimeout(timer);
      resolve(found);
    };
    const ended = store.subscribe(look);
    const timer = setTimeout(() => finish(find()), PATIENCE);
    look();
  });
}

/** @type {WeakMap<import("./store.js").Store, Session>} */
const sessions = new WeakMap();

/** @param {import("./store.js").Store} store */
export function sessionOf(store) {
  let session = sessions.get(store);
  if (!session) sessions.set(store, (session = new Session()));
  return session;
}
