// What a search among all connections has found so far, as the rows of a list.

/** Of one connection, so many are listed. */
export const SHOWN = 20;

/**
 * @typedef {import("./entrycache.js").Entry} Entry
 * @typedef {{conn: number, count: number, hits: Entry[]}} Found
 * @typedef {{conn: number, count: number, entry: Entry | null, more: number}} Row  A connection's first row has no entry
 *   and no more; its last may say how many more there are.
 */

export class Hits {
  constructor() {
    /** @type {Map<number, Found>} */
    this.found = new Map();
    this.count = 0;
    /** @type {Row[]} */
    this.rows = [];
  }

  /** Adds those of the next stretch. @param {Found[]} found */
  add(found) {
    for (const { conn, count, hits } of found) {
      const known = this.found.get(conn) ?? { conn, count: 0, hits: [] };
      this.found.set(conn, known);
      known.count += count;
      this.count += count;
      known.hits.push(...hits.slice(0, SHOWN - known.hits.length));
    }
    if (found.length) this.rows = this.laid();
  }

  laid() {
    /** @type {Row[]} */
    const rows = [];
    for (const { conn, count, hits } of this.found.values()) {
      rows.push({ conn, count, entry: null, more: 0 });
      for (const entry of hits) rows.push({ conn, count, entry, more: 0 });
      if (count > hits.length) rows.push({ conn, count, entry: null, more: count - hits.length });
    }
    return rows;
  }
}
