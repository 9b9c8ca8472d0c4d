// The marks for frames: each kind has a shape of its own, so that colour is never all there is.

/**
 * @typedef {"data" | "heartbeat" | "ping" | "pong" | "close" | "problem"} Kind
 */

/** Those drawn later lie above. @type {Kind[]} */
export const KINDS = ["data", "pong", "ping", "heartbeat", "close", "problem"];

/** Pixels from a lane's middle to the middle of a mark. */
const OFF = 8;

/**
 * The palette's name for a kind of frame.
 * @param {string} kind
 * @param {number} side 0 client, 1 server
 */
export function colourOf(kind, side) {
  if (kind === "heartbeat" || kind === "ping" || kind === "pong") return "heartbeat";
  if (kind === "problem") return "bad";
  return side === 0 ? "client" : "server";
}

/**
 * Adds a mark to the path; `STROKED` says whether it is to be filled or stroked.
 * @param {CanvasRenderingContext2D} pen
 * @param {string} kind
 * @param {number} x
 * @param {number} middle of the lane
 * @param {number} up -1 above the middle, 1 below
 */
export function trace(pen, kind, x, middle, up) {
  const y = middle + up * OFF;
  if (kind === "heartbeat") {
    pen.moveTo(x, y - 5);
    pen.lineTo(x + 4.5, y);
    pen.lineTo(x, y + 5);
    pen.lineTo(x - 4.5, y);
    pen.closePath();
  } else if (kind === "ping") {
    pen.moveTo(x, y + up * 4);
    pen.lineTo(x + 3.5, y - up * 3);
    pen.lineTo(x - 3.5, y - up * 3);
    pen.closePath();
  } else if (kind === "pong") {
    pen.moveTo(x + 3, y);
    pen.arc(x, y, 3, 0, 2 * Math.PI);
  } else if (kind === "close") {
    pen.rect(x - 4, y - 4, 8, 8);
  } else if (kind === "problem") {
    pen.moveTo(x - 3.5, y - 3.5);
    pen.lineTo(x + 3.5, y + 3.5);
    pen.moveTo(x + 3.5, y - 3.5);
    pen.lineTo(x - 3.5, y + 3.5);
  } else {
    pen.rect(x - 0.75, up < 0 ? middle - 12 : middle + 4, 1.5, 8);
  }
}

/** Those that are outlines. */
export const STROKED = new Set(["ping", "pong", "problem"]);
