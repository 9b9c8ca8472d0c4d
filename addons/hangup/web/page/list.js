// A list of any number of rows, of which only those in sight exist: a listbox for keyboard and pointer.

import { html, useEffect, useLayoutEffect, useReducer, useRef } from "./vendor/preact-htm.js";
import { ScaledScroll } from "./virtual.js";

/** Rows drawn beyond what is in sight, on either side. */
const SPARE = 8;

/**
 * @typedef {object} Props
 * @property {string} id  for the rows' ids
 * @property {string} label
 * @property {number} total
 * @property {number} height  of a row, pixels
 * @property {(index: number, place: Record<string, unknown>) => any} row  draws one, with these attributes
 * @property {number} selected  index, or -1
 * @property {(index: number) => void} select
 * @property {(first: number, last: number) => void} want  these will be drawn
 * @property {boolean} follow  whether to stay at the end when it was there
 * @property {() => void} [leave]  Escape was pressed
 * @property {unknown} [of]  another one: begin at the top again
 */

/** @param {Props} props */
export function List(props) {
  const { id, label, total, height, row, selected, select, want, follow, leave, of } = props;
  const box = useRef(/** @type {any} */ (null));
  const scroll = useRef(/** @type {any} */ (null));
  scroll.current ??= new ScaledScroll(height);
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const state = useRef({ frame: 0, timer: /** @type {any} */ (0), end: false, of, selected: -1 });
  /** @type {ScaledScroll} */
  const place = scroll.current;

  const draw = () => {
    state.current.frame ||= requestAnimationFrame(() => {
      state.current.frame = 0;
      redraw(0);
    });
  };
  /** @param {number} top */
  const go = (top) => {
    box.current.scrollTop = place.go(top);
    place.last = box.current.scrollTop;
    draw();
  };
  const onScroll = () => {
    place.scrolled(box.current.scrollTop);
    state.current.end = place.top >= place.most - 2;
    draw();
    if (!place.scaled) return;
    // The bar is brought to where it belongs once the scrolling rests.
    clearTimeout(state.current.timer);
    state.current.timer = setTimeout(() => {
      if (!box.current) return;
      place.scrolled(box.current.scrollTop); // it may have begun again, and the event is still to come
      go(place.top);
    }, 150);
  };

  useEffect(() => {
    const resizing = new ResizeObserver(() => {
      place.resize(place.total, box.current.clientHeight);
      draw();
    });
    resizing.observe(box.current);
    return () => {
      resizing.disconnect();
      clearTimeout(state.current.timer);
      cancelAnimationFrame(state.current.frame);
    };
  }, []);
  useLayoutEffect(() => {
    const now = state.current;
    const another = now.of !== of;
    now.of = of;
    place.resize(total, box.current.clientHeight);
    if (another) {
      now.selected = -1;
      go(0);
    } else if (follow && now.end) {
      go(place.most);
    }
    if (selected >= 0 && selected !== now.selected && selected < total) go(place.revealing(selected));
    now.selected = selected;
    now.end = total > 0 && place.top >= place.most - 2;
  }, [total, of, selected]);

  place.resize(total, place.viewport || 600);
  const [first, last] = place.range;
  const [from, to] = [Math.max(0, first - SPARE), Math.min(total, last + SPARE)];
  useEffect(() => want(from, to), [from, to, total, of]);
  const indexes = Array.from({ length: Math.max(0, to - from) }, (_, offset) => from + offset);
  if (selected >= 0 && selected < total && (selected < from || selected >= to)) indexes.push(selected);
  // Rows are placed from where the scroll bar is, so that no number is too large for a style.
  const base = (place.scaled ? place.last : place.top) - place.top;

  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && leave) leave();
    const page = Math.max(1, last - first - 2);
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || !total) return;
    event.preventDefault();
    event.stopPropagation();
    // Nobody has chosen yet: begin with what is in sight.
    const next = selected >= 0 ? selected + step : Math.abs(step) > page ? step : first;
    select(Math.max(0, Math.min(total - 1, next)));
  };

  return html`<div
    class="list"
    ref=${box}
    role="listbox"
    tabindex="0"
    aria-label=${label}
    aria-activedescendant=${selected >= 0 && selected < total ? `${id}-${selected}` : undefined}
    onScroll=${onScroll}
    onKeyDown=${key}
  >
    <div class="list-body" role="presentation" style=${{ height: `${place.tall}px` }}>
      ${indexes.map((index) =>
        row(index, {
          key: index,
          id: `${id}-${index}`,
          role: "option",
          "aria-selected": index === selected ? "true" : "false",
          "aria-setsize": total,
          "aria-posinset": index + 1,
          style: { transform: `translateY(${base + index * height}px)`, height: `${height}px` },
          onClick: () => select(index),
        }),
      )}
    </div>
  </div>`;
}
