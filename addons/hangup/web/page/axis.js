// The axis above the lanes: times, filters switched on and off, and flags for what the backend logged.

import { visible } from "./format.js";

/** Its height in pixels. */
export const AXIS = 48;
const MARKS = 27;
const FLAGS = 41;

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./timescale.js").TimeWindow} view
 * @param {number} width
 * @param {import("./store.js").Mark[]} marks
 * @param {[number, string, string, number][]} logs
 * @param {import("./palette.js").Palette} colours
 * @param {import("./times.js").Times} times
 */
export function paintAxis(pen, view, width, marks, logs, colours, times) {
  pen.clearRect(0, 0, width, AXIS);
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  const { step, at: numbers } = view.numbers(width);
  for (const at of numbers) {
    const x = Math.round(view.x(at, width));
    pen.fillStyle = colours.line;
    pen.fillRect(x, 4, 1, AXIS);
    pen.fillStyle = colours.dim;
    const words = times.moment(at, step);
    if (x + 60 < width || x + words.length * 6.2 < width) pen.fillText(words, x + 4, 10);
  }
  let free = -Infinity;
  for (const mark of marks) {
    const x = view.x(mark.at, width);
    if (x < -400 || x > width) continue;
    pen.fillStyle = colours.proxy;
    pen.fillRect(Math.round(x), MARKS - 6, 1, AXIS);
    if (x < free) continue;
    const words = visible(markWords(mark), 48);
    const wide = pen.measureText(words).width;
    pen.fillRect(Math.round(x), MARKS - 7, wide + 10, 14);
    pen.fillStyle = colours.bg;
    pen.fillText(words, x + 5, MARKS + 0.5);
    free = x + wide + 14;
  }
  pen.fillStyle = colours.warn;
  let last = -100;
  for (const [at] of logs) {
    const x = view.x(at, width);
    if (x < -8 || x > width + 8 || x - last < 3) continue;
    last = x;
    pen.beginPath();
    pen.rect(x - 0.5, FLAGS - 5, 1, 12);
    pen.moveTo(x, FLAGS - 5);
    pen.lineTo(x + 7, FLAGS - 2.5);
    pen.lineTo(x, FLAGS);
    pen.fill();
  }
}

/** @type {Record<string, string>} */
const ACTIONS = { on: "on", off: "off", add: "added", remove: "removed" };

/** @param {import("./store.js").Mark} mark */
export function markWords(mark) {
  return `${mark.filter} ${ACTIONS[mark.action] ?? mark.action}`;
}

/**
 * When any filter was on, from the marks of switching and what stood in the header.
 * @param {import("./store.js").Mark[]} marks
 * @param {string[]} first  filters that were on from the start
 * @param {number} now
 * @returns {{from: number, to: number}[]}
 */
export function whenFiltered(marks, first, now) {
  const on = new Set(first);
  /** @type {{from: number, to: number}[]} */
  const found = [];
  let since = on.size ? 0 : -1;
  for (const { at, action, filter } of marks) {
    const had = on.size;
    if (action === "on" || action === "add") on.add(filter);
    else on.delete(filter);
    if (!had && on.size) since = at;
    if (had && !on.size) found.push({ from: since, to: at });
  }
  if (on.size) found.push({ from: since, to: now });
  return found;
}

/**
 * What stands under the pointer in the axis, in words; null when nothing does.
 * @param {import("./timescale.js").TimeWindow} view
 * @param {number} width
 * @param {import("./store.js").Mark[]} marks
 * @param {[number, string, string, number][]} logs
 * @param {number} x
 * @param {number} y
 * @param {import("./times.js").Times} times
 * @returns {{words: string, conn: number} | null}
 */
export function underAxis(view, width, marks, logs, x, y, times) {
  if (y >= FLAGS - 7) {
    const flags = logs.filter(([at]) => Math.abs(view.x(at, width) + 3 - x) < 6);
    if (flags.length) {
      const more = flags.length > 4 ? `\nand ${flags.length - 4} more` : "";
      const lines = flags.slice(0, 4).map(([, source, text]) => `${visible(source, 40)}: ${visible(text, 160)}`);
      return { words: lines.join("\n") + more, conn: flags[0][3] };
    }
  }
  const mark = marks.filter(({ at }) => Math.abs(view.x(at, width) - x) < 6).pop();
  return mark ? { words: `${visible(markWords(mark), 300)} at ${times.moment(mark.at)}`, conn: 0 } : null;
}
