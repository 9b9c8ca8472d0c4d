// The minimap beside the lanes, where they are many: all of them, and which are in sight; a press goes there.

import { until } from "./format.js";
import { miniature } from "./miniature.js";
import { LANE } from "./paint.js";
import { CLASS_COLOUR, onThemeChange, palette } from "./palette.js";
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";

/** It is there when the lanes are so many times as tall as what is in sight. */
const MANY = 3;
const WIDTH = 46;
/** Milliseconds between two drawings, at least. */
const PAUSE = 500;

/** @param {{store: import("./store.js").Store, scroller: {current: HTMLElement | null}}} props */
export function Minimap({ store, scroller }) {
  const canvas = useRef(/** @type {any} */ (null));
  const frame = useRef(/** @type {any} */ (null));
  const [shown, setShown] = useState(false);

  useEffect(() => {
    const box = scroller.current;
    if (!box) return;
    /** @type {any} */
    let timer = 0;
    /** @type {unknown[]} */
    let drawn = [];
    const look = () => {
      const { rows } = store.state;
      const many = rows.list.length * LANE > MANY * box.clientHeight && box.clientHeight > 0;
      setShown(many);
      if (many && canvas.current) draw();
    };
    const draw = () => {
      const { rows, connections, now } = store.state;
      place();
      const height = box.clientHeight;
      if (drawn[0] === rows && drawn[1] === connections && drawn[2] === height) return;
      drawn = [rows, connections, height];
      const ratio = devicePixelRatio || 1;
      canvas.current.width = WIDTH * ratio;
      canvas.current.height = height * ratio;
      const pen = /** @type {CanvasRenderingContext2D} */ (canvas.current.getContext("2d"));
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      const colours = palette();
      const scale = (WIDTH - 4) / Math.max(now, 1e-3);
      for (const stroke of miniature(rows.list, connections, (each) => until(each, now), height)) {
        pen.fillStyle = colours[CLASS_COLOUR[/** @type {keyof typeof CLASS_COLOUR} */ (stroke.class)]] ?? colours.dim;
        pen.fillRect(2 + stroke.from * scale, stroke.y, Math.max(2, (stroke.to - stroke.from) * scale), Math.max(1, stroke.height - 0.5));
      }
    };
    const place = () => {
      const share = box.clientHeight / Math.max(1, box.scrollHeight);
      frame.current.style.top = `${(box.scrollTop / Math.max(1, box.scrollHeight)) * box.clientHeight}px`;
      frame.current.style.height = `${Math.max(6, share * box.clientHeight)}px`;
    };
    const scrolled = () => frame.current && place();
    const soon = () => {
      timer ||= setTimeout(() => {
        timer = 0;
        look();
      }, PAUSE);
    };
    const resizing = new ResizeObserver(look);
    resizing.observe(box);
    box.addEventListener("scroll", scrolled, { passive: true });
    const ends = [store.subscribe(soon), onThemeChange(() => ((drawn = []), look()))];
    look();
    return () => {
      resizing.disconnect();
      box.removeEventListener("scroll", scrolled);
      clearTimeout(timer);
      for (const end of ends) end();
    };
  }, [store, shown]);

  if (!shown) return null;
  /** @param {any} event */
  const go = (event) => {
    const box = scroller.current;
    if (!box || !(event.buttons & 1)) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const top = event.currentTarget.getBoundingClientRect().top;
    box.scrollTop = ((event.clientY - top) / box.clientHeight) * box.scrollHeight - box.clientHeight / 2;
  };
  return html`<div class="minimap" aria-hidden="true" onPointerDown=${go} onPointerMove=${go}>
    <canvas ref=${canvas} style=${{ width: `${WIDTH}px` }}></canvas><div class="minimap-frame" ref=${frame}></div>
  </div>`;
}
