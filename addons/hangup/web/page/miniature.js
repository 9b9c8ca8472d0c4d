// All lanes in the height of a few: which of them is drawn where, when there are more lanes than pixels.

/** @typedef {import("./store.js").Connection} Connection */
/** @typedef {{y: number, height: number, from: number, to: number, class: string}} Stroke */

/** What must not be lost among others. @type {Record<string, number>} */
const WEIGHT = { abnormal: 5, refused: 4, proxy: 3, open: 2, untold: 1, clean: 0 };

/**
 * @param {import("./rows.js").Row[]} rows
 * @param {Map<number, Connection>} connections
 * @param {(connection: Connection) => number} end
 * @param {number} height pixels
 * @returns {Stroke[]}
 */
export function miniature(rows, connections, end, height) {
  const count = Math.min(rows.length, Math.max(1, Math.floor(height)));
  /** @type {(Stroke | undefined)[]} */
  const strokes = Array(count);
  const tall = height / count;
  for (let index = 0; index < rows.length; index++) {
    const at = Math.floor((index * count) / rows.length);
    for (const conn of rows[index].conns ?? [rows[index].conn]) {
      const connection = connections.get(conn);
      if (!connection) continue;
      const [from, to] = [connection.at, end(connection)];
      const stroke = strokes[at];
      if (!stroke) {
        strokes[at] = { y: at * tall, height: tall, from, to, class: connection.class };
        continue;
      }
      stroke.from = Math.min(stroke.from, from);
      stroke.to = Math.max(stroke.to, to);
      if ((WEIGHT[connection.class] ?? 0) > (WEIGHT[stroke.class] ?? 0)) stroke.class = connection.class;
    }
  }
  return strokes.filter((stroke) => stroke !== undefined);
}
