// The connections beside the timeline: a listbox, of which only what is in sight exists.

import { duration, ending, lifetime, living, number, plural, visible } from "./format.js";
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
  const rows = useStore(store, (state) => state.rows);
  const selected = useStore(store, (state) => state.selected?.conn ?? 0);
  const loops = useStore(store, (state) => state.loops);
  const brackets = useMemo(() => spans(loops, rows), [loops, rows]);
  const { connections, now } = store.state;
  const { list } = rows;
  const at = rows.at.get(selected) ?? -1;
  useEffect(() => {
    if (at >= 0 && !store.state.selected?.quietly) reveal(at);
  }, [selected, at >= 0]);

  const [from, to] = [Math.max(0, first - SPARE), Math.min(list.length, last + SPARE)];
  const shown = Array.from({ length: Math.max(0, to - from) }, (_, offset) => from + offset);
  // What is selected must exist, as the focus is said to be there.
  if (at >= 0 && (at < from || at >= to)) shown.push(at);

  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !list.length) return;
    const page = Math.max(1, last - first - 2);
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = Math.min(list.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : list.length - 1) : at + step));
      store.select(list[next].conn);
      reveal(next);
    } else if (event.key === " ") {
      event.preventDefault();
      const loop = list[at]?.loop;
      if (loop) store.fold(loop);
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
    aria-activedescendant=${at >= 0 ? `lane-${list[at].conn}` : undefined}
    onKeyDown=${key}
  >
    ${shown.map((index) => {
      const row = list[index];
      const connection = connections.get(row.conn);
      return connection && html`<${Lane}
        key=${row.conn}
        ...${{ store, row, connection, index, now, total: list.length, selected: index === at }}
        brackets=${brackets.filter((each) => each.top <= index && index <= each.bottom)}
      />`;
    })}
  </div>`;
}

/**
 * @param {{store: import("./store.js").Store, row: import("./rows.js").Row, connection: import("./store.js").Connection,
 *   index: number, now: number, total: number, selected: boolean, brackets: Bracket[]}} props
 */
function Lane({ store, row, connection, index, now, total, selected, brackets }) {
  const { loop, conns } = row;
  const lived = conns && loop ? loop.lifetime : lifetime(connection, now);
  const life = lived === null ? "" : duration(lived);
  const [path, query] = connection.path.split(/\?(.*)/s, 2);
  /** @param {MouseEvent} event */
  const choose = (event) => {
    const { selected: chosen, alone } = store.state;
    if (chosen && !alone && (event.ctrlKey || event.metaKey)) store.set({ other: connection.conn, view: "compare" });
    else store.select(connection.conn);
  };
  /** @param {Event} event */
  const fold = (event) => {
    event.stopPropagation();
    if (loop) store.fold(loop);
  };
  return html`<div
    id=${`lane-${connection.conn}`}
    class=${`lane ${connection.class} ${connection.kind} ${conns ? "folded" : ""}`}
    role="option"
    aria-selected=${selected ? "true" : "false"}
    aria-setsize=${total}
    aria-posinset=${index + 1}
    aria-description=${conns && loop ? `${visible(loop.sentence, 600)}; folded, Space opens it` : said(connection, life) + (loop ? "; Space folds the loop" : "")}
    style=${{ transform: `translateY(${index * LANE}px)`, height: `${LANE}px` }}
    onClick=${choose}
    onDblClick=${fold}
  >
    ${brackets.map(
      (each) => html`<i
        class=${["bracket", each.top === index && "begins", each.bottom === index && "ends", each.has.has(connection.conn) && "member"]
          .filter(Boolean)
          .join(" ")}
        style=${{ left: `${each.column * 6 + 3}px` }}
      ></i>`,
    )}
    ${loop && html`<span class="fold" title=${conns ? "Open this loop (Space)" : "Fold this loop (Space)"} onClick=${fold}>${conns ? "▸" : "▾"}</span>`}
    <span class="lane-number">${connection.conn}</span>
    <span class="lane-path" title=${visible(connection.path, 500)}><bdi>${visible(path, 200) || "—"}</bdi>
      ${query !== undefined && html`<span class="dim">?${visible(query, 80)}</span>`}</span>
    ${connection.kind !== "app" && html`<span class="chip">${connection.kind === "hmr" ? "HMR" : "test"}</span>`}
    ${conns && html`<span class="chip many" title=${`${number(loop?.count ?? conns.length)} connections`}>⟲ ${rounded(loop?.count ?? conns.length)}</span>`}
    <span class="lane-life">${life}</span>
    <span class="lane-end">${ending(connection)}</span>
  </div>`;
}

/** A count in a few characters: 28,557 is 29k. @param {number} count */
const rounded = (count) => (count < 10_000 ? number(count) : `${number(Math.round(count / 1000))}k`);

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
 * @param {import("./rows.js").Rows} rows
 * @returns {Bracket[]}
 */
function spans(loops, { at }) {
  /** @type {Bracket[]} */
  const found = [];
  for (const { conns } of loops) {
    const [top, bottom] = [at.get(conns[conns.length - 1]), at.get(conns[0])];
    // A folded one has a lane of its own.
    if (top === undefined || bottom === undefined || top === bottom) continue;
    const taken = new Set(found.filter((each) => each.top <= bottom && top <= each.bottom).map((each) => each.column));
    const column = [...Array(BRACKETS).keys()].find((each) => !taken.has(each));
    if (column !== undefined) found.push({ top, bottom, column, has: new Set(conns) });
  }
  return found;
}
