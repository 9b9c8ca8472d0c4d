// Which connections are worth comparing with one.

/** @typedef {import("./store.js").Connection} Connection */

/** So many are offered. */
const MOST = 200;

/** A path without its query and with no numbers: what is one route to most backends. @param {Connection} connection */
const route = ({ path }) => path.split("?")[0].replace(/[0-9a-f-]{8,}|\d+/gi, "#");

/**
 * The others, the likeliest first: of the same route those that ended otherwise, then those that ended alike; each time
 * the nearest in time first.
 * @param {Connection} connection
 * @param {Iterable<Connection>} all
 * @returns {Connection[]}
 */
export function comparable(connection, all) {
  const mine = route(connection);
  /** @param {Connection} other */
  const rank = (other) => (route(other) === mine ? 0 : 2) + (other.class === connection.class ? 1 : 0);
  const others = [...all].filter(({ conn }) => conn !== connection.conn);
  const ranked = others.map((other) => ({ other, rank: rank(other), away: Math.abs(other.conn - connection.conn) }));
  ranked.sort((a, b) => a.rank - b.rank || a.away - b.away || a.other.conn - b.other.conn);
  return ranked.slice(0, MOST).map(({ other }) => other);
}
