// The line between timeline and connection, to be moved by pointer or arrow keys.

import { html, useState } from "./vendor/preact-htm.js";

const [LEAST, MOST] = [15, 75];

/** @param {{of: {current: HTMLElement | null}}} props whose height is shared */
export function Splitter({ of }) {
  const [share, setShare] = useState(40);
  /** @param {number} percent */
  const set = (percent) => {
    const next = Math.min(MOST, Math.max(LEAST, percent));
    setShare(next);
    of.current?.style.setProperty("--timeline-share", `${next}%`);
  };
  /** @param {any} event */
  const move = (event) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId) || !of.current) return;
    const box = of.current.getBoundingClientRect();
    set((100 * (event.clientY - box.top)) / box.height);
  };
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    const step = { ArrowUp: -5, ArrowDown: 5 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    set(share + step);
  };
  return html`<div
    class="splitter"
    role="separator"
    tabindex="0"
    aria-orientation="horizontal"
    aria-label="Height of the timeline"
    aria-valuemin=${LEAST}
    aria-valuemax=${MOST}
    aria-valuenow=${Math.round(share)}
    onPointerDown=${(/** @type {any} */ event) => event.currentTarget.setPointerCapture(event.pointerId)}
    onPointerMove=${move}
    onKeyDown=${key}
  ></div>`;
}
