// Draws the lanes of the timeline on a canvas. It is given everything, and decides nothing.

import { duration, ending, until, visible } from "./format.js";
import { colourOf, KINDS, STROKED, trace } from "./glyphs.js";
import { CLASS_COLOUR } from "./palette.js";

/** A lane's height in pixels. */
export const LANE = 32;

/** @typedef {import("./store.js").Connection} Connection */

/**
 * @typedef {object} Scene
 * @property {import("./timescale.js").TimeWindow} view
 * @property {number} width
 * @property {number} height
 * @property {number} scroll  pixels
 * @property {import("./rows.js").Rows} rows
 * @property {number} first  index in `rows` of the first lane in sight
 * @property {number} last  and the one after the last
 * @property {Map<number, Connection>} connections
 * @property {Map<number, import("./tickcache.js").Lane>} lanes
 * @property {Map<number, number>} before  of a connection in a loop: the one before it
 * @property {{from: number, to: number}[]} filtered  when a filter was on
 * @property {number[]} marks  when one was switched
 * @property {number} now
 * @property {import("./store.js").Selection | null} selected
 * @property {number} hovered  index of a lane, or -1
 */

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 * @param {import("./palette.js").Palette} colours
 */
export function paint(pen, scene, colours) {
  const { width, height, view, rows, connections } = scene;
  pen.clearRect(0, 0, width, height);
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  band(pen, scene, colours);
  grid(pen, scene, colours);
  const selected = rows.at.get(scene.selected?.conn ?? 0) ?? -1;
  for (let index = scene.first; index < scene.last; index++) {
    const { conn, conns } = rows.list[index];
    const top = index * LANE - scene.scroll;
    if (index === selected || index === scene.hovered) {
      pen.globalAlpha = index === selected ? 0.1 : 0.05;
      pen.fillStyle = index === selected ? colours.accent : colours.text;
      pen.fillRect(0, top, width, LANE);
      pen.globalAlpha = 1;
    }
    pen.fillStyle = colours.line;
    pen.globalAlpha = 0.6;
    pen.fillRect(0, top + LANE - 1, width, 1);
    pen.globalAlpha = 1;
    const all = conns ?? [conn];
    for (let at = 0; at < all.length; at++) {
      const connection = connections.get(all[at]);
      if (!connection) continue;
      const next = connections.get(all[at + 1] ?? 0);
      if (conns && connection.conn === scene.selected?.conn) chosen(pen, scene, colours, connection, top);
      gap(pen, scene, colours, connection, index, top);
      lane(pen, scene, colours, connection, top, next ? view.x(next.at, width) : Infinity);
    }
  }
  for (const at of scene.marks) {
    pen.fillStyle = colours.proxy;
    pen.fillRect(Math.round(view.x(at, width)), 0, 1, height);
  }
}

/**
 * The selected one of those in a folded lane.
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 * @param {import("./palette.js").Palette} colours
 * @param {Connection} connection
 * @param {number} top
 */
function chosen(pen, { view, width, now }, colours, connection, top) {
  const [left, right] = [view.x(connection.at, width), view.x(until(connection, now), width)];
  pen.globalAlpha = 0.2;
  pen.fillStyle = colours.accent;
  pen.fillRect(left - 2, top, Math.max(2, right - left) + 4, LANE - 1);
  pen.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene @param {import("./palette.js").Palette} colours */
function band(pen, { view, width, height, filtered }, colours) {
  pen.fillStyle = colours.proxy;
  pen.globalAlpha = 0.07;
  for (const { from, to } of filtered) {
    const left = Math.max(0, view.x(from, width));
    const right = Math.min(width, view.x(to, width));
    if (right > left) pen.fillRect(left, 0, right - left, height);
  }
  pen.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene @param {import("./palette.js").Palette} colours */
function grid(pen, { view, width, height, now }, colours) {
  pen.fillStyle = colours.line;
  pen.globalAlpha = 0.55;
  for (const at of view.numbers(width).at) pen.fillRect(Math.round(view.x(at, width)), 0, 1, height);
  pen.globalAlpha = 1;
  const edge = view.x(now, width);
  if (edge < width) {
    pen.fillStyle = colours.panel;
    pen.fillRect(edge, 0, width - edge, height);
  }
}

/**
 * The time from the end of the connection before to this one's request, of the same loop.
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 * @param {import("./palette.js").Palette} colours
 * @param {Connection} connection
 * @param {number} index
 * @param {number} top
 */
function gap(pen, { view, width, before, connections, rows, height }, colours, connection, index, top) {
  const other = connections.get(before.get(connection.conn) ?? 0);
  if (!other || other.ended === null || other.ended > connection.at) return;
  const [left, right] = [view.x(other.ended, width), view.x(connection.at, width)];
  if (right < 0 || left > width) return;
  const middle = top + LANE / 2;
  pen.strokeStyle = colours.bad;
  pen.globalAlpha = 0.75;
  pen.setLineDash([2, 3]);
  pen.lineWidth = 1;
  pen.beginPath();
  // The lane of the one before need not be the next.
  const below = rows.at.get(other.conn) ?? index;
  pen.moveTo(Math.round(left) + 0.5, Math.min(height, top + (below - index) * LANE + LANE / 2));
  pen.lineTo(Math.round(left) + 0.5, middle + 0.5);
  pen.lineTo(right - 2, middle + 0.5);
  pen.stroke();
  pen.setLineDash([]);
  pen.globalAlpha = 1;
  const words = duration(connection.at - other.ended);
  if (right - left > words.length * 5.6 + 8) {
    pen.fillStyle = colours.dim;
    pen.textAlign = "center";
    pen.fillText(words, (left + right) / 2, middle - 7);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 * @param {import("./palette.js").Palette} colours
 * @param {Connection} connection
 * @param {number} top
 * @param {number} room  where something else stands in this lane
 */
function lane(pen, scene, colours, connection, top, room) {
  const { view, width, now } = scene;
  const middle = top + LANE / 2;
  const colour = colours[CLASS_COLOUR[connection.class]] ?? colours.dim;
  const end = until(connection, now);
  const [asked, finish] = [view.x(connection.at, width), view.x(end, width)];
  if (finish < -200 || asked > width) return;
  const faint = connection.kind === "hmr";
  pen.globalAlpha = faint ? 0.45 : 1;
  const opened = connection.opened === null ? finish : view.x(connection.opened, width);
  pen.fillStyle = colour;
  // The handshake is a thin line, the open connection a bar.
  pen.fillRect(asked, middle - 0.75, Math.max(1, opened - asked), 1.5);
  pen.fillRect(asked, middle - 4, 1, 8);
  if (connection.opened !== null) {
    const left = Math.max(-4, opened);
    const right = Math.min(width + 4, finish);
    pen.globalAlpha = faint ? 0.15 : 0.3;
    pen.fillRect(left, middle - 3.5, Math.max(1, right - left), 7);
    pen.globalAlpha = faint ? 0.45 : 1;
  }
  ticks(pen, scene, colours, connection, middle);
  actions(pen, scene, colours, connection, top);
  if (connection.class === "open") {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.moveTo(finish, middle - 5);
    pen.lineTo(finish + 6, middle);
    pen.lineTo(finish, middle + 5);
    pen.fill();
  } else {
    cap(pen, connection, colour, finish, middle);
    pen.fillStyle = colour;
    pen.textAlign = "left";
    const shown = connection.browser_code && connection.how !== "close" ? ` · ${connection.browser_code}` : "";
    const words = visible(ending(connection), 40) + shown;
    const fits = room - finish > 14 + words.length * 6;
    if (fits && finish > -9 && finish < width - 20) pen.fillText(words, finish + 9, middle + 0.5);
  }
  pen.globalAlpha = 1;
}

/**
 * How it ended: a wall for what was torn off, a rounded end for a clean close, a cross for a refusal,
 * nothing where it is not told.
 * @param {CanvasRenderingContext2D} pen
 * @param {Connection} connection
 * @param {string} colour
 * @param {number} x
 * @param {number} middle
 */
function cap(pen, connection, colour, x, middle) {
  pen.fillStyle = colour;
  pen.strokeStyle = colour;
  pen.beginPath();
  if (connection.class === "refused") {
    pen.lineWidth = 2;
    pen.moveTo(x - 4, middle - 4);
    pen.lineTo(x + 4, middle + 4);
    pen.moveTo(x + 4, middle - 4);
    pen.lineTo(x - 4, middle + 4);
    pen.stroke();
  } else if (connection.class === "clean") {
    pen.arc(x, middle, 4, 0, 2 * Math.PI);
    pen.fill();
  } else if (connection.class !== "untold") {
    pen.fillRect(x - 1, middle - 12, 3, 24);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 * @param {import("./palette.js").Palette} colours
 * @param {Connection} connection
 * @param {number} middle
 */
function ticks(pen, scene, colours, connection, middle) {
  const found = scene.lanes.get(connection.conn);
  if (!found) return;
  if (found.bins) return bins(pen, scene, colours, found, middle);
  const { view, width, selected } = scene;
  /** @type {Record<string, number[]>} */
  const rows = {};
  let chosen = null;
  for (const tick of found.ticks ?? []) {
    const x = view.x(tick[0], width);
    if (x < -8 || x > width + 8) continue;
    const key = `${tick[2]}-${tick[1]}`;
    const row = (rows[key] ??= []);
    // Two in one pixel are one to the eye.
    if (row.length && x - row[row.length - 1] < 0.75) continue;
    row.push(x);
    if (selected?.conn === connection.conn && selected.i === tick[3]) chosen = { x, side: tick[1] };
  }
  for (const kind of KINDS) {
    for (const side of [0, 1]) {
      const row = rows[`${kind}-${side}`];
      if (!row) continue;
      pen.beginPath();
      for (const x of row) trace(pen, kind, x, middle, side ? 1 : -1);
      draw(pen, kind, colours[colourOf(kind, side)], colours.bg);
    }
  }
  if (chosen) {
    pen.strokeStyle = colours.text;
    pen.lineWidth = 1.5;
    pen.strokeRect(chosen.x - 6.5, middle + (chosen.side ? 8 : -8) - 6.5, 13, 13);
  }
}

/** @param {CanvasRenderingContext2D} pen @param {string} kind @param {string} colour @param {string} ground */
function draw(pen, kind, colour, ground) {
  if (STROKED.has(kind)) {
    pen.lineWidth = kind === "problem" ? 2 : 1.5;
    if (kind !== "problem") {
      pen.fillStyle = ground;
      pen.fill();
    }
    pen.strokeStyle = colour;
    pen.stroke();
    return;
  }
  if (kind !== "data") {
    pen.lineWidth = 2;
    pen.strokeStyle = ground;
    pen.stroke();
  }
  pen.fillStyle = colour;
  pen.fill();
}

/**
 * Too many for marks of their own: how many there were in each pixel, by height.
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 * @param {import("./palette.js").Palette} colours
 * @param {import("./tickcache.js").Lane} found
 * @param {number} middle
 */
function bins(pen, { view, width }, colours, found, middle) {
  const perBin = (found.to - found.from) / found.px;
  const wide = Math.max(1, (perBin / view.span) * width);
  const entries = Object.entries(found.bins ?? {});
  const most = entries.reduce((so_far, [, row]) => row.reduce((max, bin) => Math.max(max, bin[1]), so_far), 1);
  entries.sort(([a], [b]) => KINDS.indexOf(/** @type {any} */ (kindOf(a))) - KINDS.indexOf(/** @type {any} */ (kindOf(b))));
  for (const [key, row] of entries) {
    const kind = kindOf(key);
    const side = Number(key.slice(-1));
    const data = kind === "data";
    pen.beginPath();
    let last = -100;
    for (const [bin, count] of row) {
      const x = view.x(found.from + (bin + 0.5) * perBin, width);
      if (x < -8 || x > width + 8) continue;
      if (data) {
        const tall = 3 + 6 * (Math.log1p(count) / Math.log1p(most));
        pen.rect(x - wide / 2, side ? middle + 4 : middle - 4 - tall, wide, tall);
      } else if (x - last > 5) {
        trace(pen, kind, x, middle, side ? 1 : -1);
        last = x;
      }
    }
    draw(pen, kind, colours[colourOf(kind, side)], colours.bg);
  }
}

/** @param {string} key */
const kindOf = (key) => key.slice(0, key.lastIndexOf("-"));

/**
 * What filters did: a notch at the lane's upper edge.
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 * @param {import("./palette.js").Palette} colours
 * @param {Connection} connection
 * @param {number} top
 */
function actions(pen, { view, width, lanes }, colours, connection, top) {
  const found = lanes.get(connection.conn)?.actions;
  if (!found?.length) return;
  pen.fillStyle = colours.proxy;
  pen.beginPath();
  let last = -100;
  for (const [at] of found) {
    const x = view.x(at, width);
    if (x < -8 || x > width + 8 || x - last < 2) continue;
    last = x;
    pen.moveTo(x - 4, top);
    pen.lineTo(x + 4, top);
    pen.lineTo(x, top + 5);
    pen.closePath();
  }
  pen.fill();
}
