// Watches for what is worth a notice, and shows the notices until they have been seen.

import { ApiError, getJson } from "./api.js";
import { CloseIcon } from "./icons.js";
import { longest, loopNotices, verdictNotice } from "./notices.js";
import { settled } from "./settling.js";
import { useStore } from "./store.js";
import { html, useEffect } from "./vendor/preact-htm.js";

/** Milliseconds that a notice stays in sight. */
const SEEN = 12_000;

/** @typedef {import("./store.js").Store} Store @typedef {import("./notices.js").Notice} Notice */

/** @param {Store} store */
export function watch(store) {
  let { loaded, bisect } = store.state;
  let loops = settled(store.state);
  /** @param {Notice[]} found */
  const tell = (found) => {
    const keys = new Set(found.map(({ key }) => key));
    if (found.length) store.set({ notices: [...store.state.notices.filter(({ key }) => !keys.has(key)), ...found] });
  };
  const verdict = async () => {
    try {
      const notice = verdictNotice(await getJson("bisect"));
      if (notice) tell([notice]);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  };
  store.subscribe(() => {
    const before = { loaded, loops, bisect };
    const { state } = store;
    ({ loaded, bisect } = state);
    loops = settled(state);
    const looping = longest(loops, state.live);
    if (looping !== state.looping) store.set({ looping });
    // What there was when the page was opened is no news.
    if (before.loaded && state.live) tell(loopNotices(before.loops, loops));
    if (bisect === "done" && before.bisect !== null && before.bisect !== "done") void verdict();
  });
}

/** @param {{store: Store}} props */
export function Notices({ store }) {
  const notices = useStore(store, (state) => state.notices);
  return html`<div class="notices" role="status" aria-label="Notices">
    ${notices.map((notice) => html`<${Shown} key=${`${notice.key} ${notice.words}`} store=${store} notice=${notice} />`)}
  </div>`;
}

/** @param {{store: Store, notice: Notice}} props */
function Shown({ store, notice }) {
  const end = () => store.set({ notices: store.state.notices.filter((each) => each !== notice) });
  useEffect(() => {
    /** @type {any} */
    let timer = 0;
    const look = () => {
      clearTimeout(timer);
      // Who looks elsewhere has not seen it.
      if (!document.hidden) timer = setTimeout(end, SEEN);
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);
  const show = () => {
    if (notice.key === "bisect") store.set({ tab: "bisect" });
    else store.select(notice.conn);
    end();
  };
  return html`<div class=${`notice ${notice.kind}`}>
    <span><bdi>${notice.words}</bdi></span>
    ${(notice.conn !== null || notice.key === "bisect") && html`<button onClick=${show}>Show</button>`}
    <button class="quiet" aria-label="Close this notice" onClick=${end}><${CloseIcon} /></button>
  </div>`;
}
