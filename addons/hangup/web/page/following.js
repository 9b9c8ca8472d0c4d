// Keeps the store with the recording: the live socket says that something changed, the overview says what.

import { ApiError, getJson, Latest } from "./api.js";

/** Milliseconds between two overviews, at least. */
const PAUSE = 120;
/** Milliseconds between two looks without a socket. */
const POLL = 500;
const RETRY = [500, 1000, 2000, 5000];
/** Milliseconds that the notice of what was missed stays. */
const NOTICE = 8000;
const REPLACED = "another hangup is running here now: use the link that it printed";

/**
 * @param {import("./store.js").Store} store
 * @returns {() => void} ends it
 */
export function follow(store) {
  let ended = false;
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {any} */
  let notice = 0;
  let failures = 0;
  /** @type {import("./store.js").Selection | null} */
  let chosen = null;
  /** @type {any} */
  let timer = 0;

  /** Which connections those in the store are, and whether there are more to come. */
  let told = store.state.choice;
  let partial = false;

  const overview = new Latest(async () => {
    const { rev, loaded, choice } = store.state;
    const anew = choice !== told || partial;
    try {
      let answer = await getJson("overview", { since: loaded && !anew ? rev : 0, ...asked(choice) });
      if (answer.rev < rev && !anew) {
        // Another process reads the file now, and counts anew.
        answer = await getJson("overview", { since: 0, ...asked(choice) });
      }
      if (loaded && isAnother(answer)) {
        // Nothing of what is shown, or kept by any part, is of this one; nor is what the address names.
        ended = true;
        location.replace(location.pathname);
        return;
      }
      told = choice;
      partial = answer.partial;
      store.merge(answer, anew || partial);
      if (store.state.problem) store.set({ problem: null });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      store.set({ problem: error.status === 401 ? REPLACED : error.message });
    }
    chosen = choose(store, chosen);
    await lookUp(store);
    if (store.state.live && !socket) connect();
    if (!ended && !store.state.connected && unfinished()) {
      clearTimeout(timer);
      timer = setTimeout(() => overview.ask(), POLL);
    }
  }, PAUSE);

  /** Whether it is of another recording: of a hangup that was started where this page's had been. @param {any} answer */
  const isAnother = ({ path, header }) => path !== store.state.path || header.started !== store.state.header.started;

  // Without a socket: whether more is to be expected.
  const unfinished = () => {
    const { loaded, live, complete, indexed, size, problem } = store.state;
    return !loaded || live || (!complete && indexed < size) || problem !== null;
  };

  const connect = () => {
    const url = new URL("../live", import.meta.url);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const made = (socket = new WebSocket(url));
    made.onopen = () => {
      failures = 0;
      store.set({ connected: true });
      overview.ask();
    };
    made.onmessage = (message) => take(JSON.parse(message.data));
    made.onclose = () => {
      store.set({ connected: false });
      if (ended) return;
      overview.ask();
      setTimeout(() => {
        socket = null;
        if (!ended && store.state.live) connect();
      }, RETRY[Math.min(failures++, RETRY.length - 1)]);
    };
  };

  /** @param {any} told */
  const take = (told) => {
    /** @type {Partial<import("./store.js").State>} */
    const patch = { now: Math.max(store.state.now, told.now ?? 0) };
    if (told.size) patch.size = told.size;
    if (told.filters && JSON.stringify(told.filters) !== JSON.stringify(store.state.filters)) patch.filters = told.filters;
    if (told.bisect !== undefined) patch.bisect = told.bisect;
    if (told.trouble !== undefined) patch.trouble = told.trouble;
    if (told.missed) {
      patch.missed = told.missed;
      clearTimeout(notice);
      notice = setTimeout(() => store.set({ missed: null }), NOTICE);
    }
    store.set(patch);
    // Nobody looks at a page in the background; it catches up when it is seen again.
    if (!document.hidden) overview.ask();
  };
  const shown = () => document.hidden || overview.ask();

  // What is selected is there, even if it is not among those that were chosen.
  let looked = 0;
  const changed = () => {
    const { choice, selected, connections, loaded } = store.state;
    if (choice !== told) overview.ask();
    else if (loaded && selected && selected.conn !== looked && !connections.has(selected.conn)) {
      looked = selected.conn;
      overview.ask();
    }
  };

  document.addEventListener("visibilitychange", shown);
  const unsubscribe = store.subscribe(changed);
  overview.ask();
  return () => {
    unsubscribe();
    ended = true;
    document.removeEventListener("visibilitychange", shown);
    overview.close();
    clearTimeout(timer);
    clearTimeout(notice);
    socket?.close();
  };
}

/** @param {import("./store.js").Choice} choice */
const asked = ({ path, failed }) => ({ ...(path && { path }), ...(failed && { failed: 1 }) });

/** Asks for the selected connection, where the recording has more than were told of. @param {import("./store.js").Store} store */
async function lookUp(store) {
  const { selected, connections, total } = store.state;
  if (!selected || connections.has(selected.conn) || connections.size >= total) return;
  try {
    store.add(await getJson("connection", { conn: selected.conn }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // there is none of that number, yet
  }
}

/**
 * Selects what is worth looking at first, unless somebody has: the last of the last loop, else the last that was torn off.
 * As long as a recording is being read, that may be another.
 * @param {import("./store.js").Store} store
 * @param {import("./store.js").Selection | null} chosen  what was selected so before
 * @returns {import("./store.js").Selection | null}
 */
function choose(store, chosen) {
  const { selected, connections, order, loops, live, complete } = store.state;
  if ((selected && selected !== chosen) || !order.length) return null;
  const loop = loops[loops.length - 1];
  const ended = order.find((conn) => !["open", "clean"].includes(connections.get(conn)?.class ?? ""));
  const conn = loop ? loop.conns[loop.conns.length - 1] : ended ?? (live ? null : order[0]);
  // Of what is live the newest stay in sight, whatever is looked at below.
  if (conn && conn !== selected?.conn) store.select(conn, { quietly: live });
  return live || complete ? null : store.state.selected;
}
