// The connections beside the timeline: a listbox, of which only what is in sight exists.

import { duration, ending, lifetime, living, plural, visible } from "./format.js";
import { LANE } from "./paint.js";
import { useStore } from "./store.js";
import { html, useEffect, useMemo } from "./vendor/preact-htm.js";

/** Lanes beyond what is in sight, on either side. */
const SPARE = 4;
const BRACKETS = 3;

/**
 * @param {{store: import("./store.js").Store, first: number, last: number, reveal: (index: number) => void,
 *   enter: () => void}} props
 */
export function Lanes({ store, first, last, reveal, enter }) {
  useStore(store, (state) => state.rev);
  const order = useStore(store, (state) => state.order);
  const selected = useStore(store, (state) => state.selected?.conn ?? 0);
  const loops = useStore(store, (state) => state.loops);
  const brackets = useMemo(() => spans(loops, order), [loops, order]);
  const { connections, now } = store.state;
  const at = selected ? place(order, selected) : -1;
  useEffect(() => {
    if (at >= 0 && !store.state.selected?.quietly) reveal(at);
  }, [selected]);

  const [from, to] = [Math.max(0, first - SPARE), Math.min(order.length, last + SPARE)];
  const shown = order.slice(from, to).map((conn, offset) => [conn, from + offset]);
  // What is selected must exist, as the focus is said to be there.
  if (at >= 0 && (at < from || at >= to)) shown.push([selected, at]);

  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !order.length) return;
    const page = Math.max(1, last - first - 2);
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = Math.min(order.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : order.length - 1) : at + step));
      store.select(order[next]);
      reveal(next);
    } else if (event.key === "Enter") {
      event.preventDefault();
      enter();
    }
  };

  return html`<div
    class="lanes"
    role="listbox"
    tabindex="0"
    aria-label="Connections, the newest first"
    aria-activedescendant=${at >= 0 ? `lane-${selected}` : undefined}
    onKeyDown=${key}
  >
    ${shown.map(([conn, index]) => {
      const connection = connections.get(conn);
      return connection && html`<${Lane}
        key=${conn}
        ...${{ store, connection, index, now, total: order.length, selected: conn === selected }}
        brackets=${brackets.filter((each) => each.top <= index && index <= each.bottom)}
      />`;
    })}
  </div>`;
}

/**
 * @param {{store: import("./store.js").Store, connection: import("./store.js").Connection, index: number, now: number,
 *   total: number, selected: boolean, brackets: Bracket[]}} props
 */
function Lane({ store, connection, index, now, total, selected, brackets }) {
  const lived = lifetime(connection, now);
  const life = lived === null ? "" : duration(lived);
  const [path, query] = connection.path.split(/\?(.*)/s, 2);
  return html`<div
    id=${`lane-${connection.conn}`}
    class=${`lane ${connection.class} ${connection.kind}`}
    role="option"
    aria-selected=${selected ? "true" : "false"}
    aria-setsize=${total}
    aria-posinset=${index + 1}
    aria-description=${said(connection, life)}
    style=${{ transform: `translateY(${index * LANE}px)`, height: `${LANE}px` }}
    onClick=${() => store.select(connection.conn)}
  >
    ${brackets.map(
      (each) => html`<i
        class=${["bracket", each.top === index && "begins", each.bottom === index && "ends", each.has.has(connection.conn) && "member"]
          .filter(Boolean)
          .join(" ")}
        style=${{ left: `${each.column * 6 + 3}px` }}
      ></i>`,
    )}
    <span class="lane-number">${connection.conn}</span>
    <span class="lane-path" title=${visible(connection.path, 500)}><bdi>${visible(path, 200) || "—"}</bdi>
      ${query !== undefined && html`<span class="dim">?${visible(query, 80)}</span>`}</span>
    ${connection.kind !== "app" && html`<span class="chip">${connection.kind === "hmr" ? "HMR" : "test"}</span>`}
    <span class="lane-life">${life}</span>
    <span class="lane-end">${ending(connection)}</span>
  </div>`;
}

/**
 * A lane in words, for who does not see the picture; its name is what stands there.
 * @param {import("./store.js").Connection} connection
 * @param {string} life
 */
function said(connection, life) {
  const kinds = { app: "", hmr: " of the dev server's hot reload", test: " of Test Connection" };
  const parts = [
    `Connection ${connection.conn}${kinds[connection.kind] ?? ""}, ${visible(connection.path, 200)}`,
    life && `${living(connection)} ${life}`,
    connection.class === "open" ? "" : visible(connection.sentence, 400),
    `${plural(connection.frames.client, "frame")} of the client, ${connection.frames.server} of the server`,
    connection.heartbeats && plural(connection.heartbeats, "heartbeat"),
    connection.problems && plural(connection.problems, "problem"),
    connection.filtered && `filters acted ${plural(connection.filtered, "time")}`,
    connection.loop !== null && connection.loop !== undefined && "part of a loop",
  ];
  return parts.filter(Boolean).join("; ");
}

/**
 * @typedef {{top: number, bottom: number, column: number, has: Set<number>}} Bracket
 */

/**
 * Which lanes each loop spans, loops beside each other in columns.
 * @param {import("./store.js").Loop[]} loops
 * @param {number[]} order newest first
 * @returns {Bracket[]}
 */
function spans(loops, order) {
  /** @type {Bracket[]} */
  const found = [];
  for (const { conns } of loops) {
    const [top, bottom] = [place(order, conns[conns.length - 1]), place(order, conns[0])];
    if (top < 0 || bottom < 0) continue;
    const taken = new Set(found.filter((each) => each.top <= bottom && top <= each.bottom).map((each) => each.column));
    const column = [...Array(BRACKETS).keys()].find((each) => !taken.has(each));
    if (column !== undefined) found.push({ top, bottom, column, has: new Set(conns) });
  }
  return found;
}

/**
 * Where a connection stands in numbers that fall; -1 if it does not.
 * @param {number[]} order
 * @param {number} conn
 */
export function place(order, conn) {
  let [low, high] = [0, order.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (order[middle] === conn) return middle;
    if (order[middle] > conn) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
