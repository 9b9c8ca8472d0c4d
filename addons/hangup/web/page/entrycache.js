// The entries of one connection, by blocks, and the search among them.

import { ApiError, getJson, Latest } from "./api.js";
import { asParams } from "./wanted.js";

export const BLOCK = 100;
const BLOCKS_KEPT = 200;
/** Entries that are asked for one by one (by a list) at once; the server gives no more. */
const AT_ONCE = 200;

/**
 * @typedef {object} Entry
 * @property {number} i
 * @property {number} at
 * @property {string} kind
 * @property {number | null} [n]
 * @property {import("./store.js").Side | null} [side]
 * @property {string} [opcode]
 * @property {number} [length]
 * @property {string} [preview]
 * @property {string[]} [problems]
 * @property {boolean} [heartbeat]
 * @property {string[]} [acted]
 * @property {number | null} [code]
 * @property {string | null} [reason]
 * @property {string} [text]
 */

export class EntryCache {
  /**
   * @param {number} conn
   * @param {() => void} changed
   */
  constructor(conn, changed) {
    this.conn = conn;
    this.changed = changed;
    this.total = 0;
    this.known = false;
    /** @type {string | null} */
    this.problem = null;
    /** @type {Map<number, Entry[]>} */
    this.blocks = new Map();
    /** @type {Map<number, Entry>} */
    this.single = new Map();
    this.latest = new Latest(async (/** @type {number} */ from, /** @type {number} */ to) => {
      await this.answer(getJson("entries", { conn, from, count: to - from }));
    });
    // Of its own, so that what is in sight never waits for what has come at the end.
    this.tail = new Latest(async () => {
      await this.answer(getJson("entries", { conn, from: this.total, count: BLOCK }));
    });
    this.listed = new Latest(async (/** @type {number[]} */ list) => {
      await this.answer(getJson("entries", { conn, list: list.join(",") }), true);
    });
  }

  /** @param {Promise<any>} asked @param {boolean} [single] */
  async answer(asked, single = false) {
    try {
      const { total, entries } = await asked;
      this.total = total;
      this.known = true;
      this.problem = null;
      for (const entry of /** @type {Entry[]} */ (entries)) {
        if (single) this.single.set(entry.i, entry);
        else this.put(entry);
      }
      while (this.blocks.size > BLOCKS_KEPT) this.blocks.delete(/** @type {number} */ (this.blocks.keys().next().value));
      if (this.single.size > BLOCKS_KEPT * BLOCK) this.single.clear();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = error.message;
    }
    this.changed();
  }

  /** @param {Entry} entry */
  put(entry) {
    const number = Math.floor(entry.i / BLOCK);
    let block = this.blocks.get(number);
    if (!block) this.blocks.set(number, (block = []));
    block[entry.i % BLOCK] = entry;
  }

  /** @param {number} i @returns {Entry | null} */
  get(i) {
    return this.blocks.get(Math.floor(i / BLOCK))?.[i % BLOCK] ?? this.single.get(i) ?? null;
  }

  /** Asks for what is missing from `from` to before `to`, in whole blocks. @param {number} from @param {number} to */
  want(from, to) {
    let low = -1;
    let high = -1;
    for (let i = from; i < Math.min(to, this.total); i++) {
      if (this.get(i)) continue;
      if (low < 0) low = i;
      high = i;
    }
    if (low >= 0) this.latest.ask(Math.floor(low / BLOCK) * BLOCK, Math.min(this.total, Math.ceil((high + 1) / BLOCK) * BLOCK));
  }

  /** Asks for these, of which there may be any number between two. @param {number[]} list */
  wantListed(list) {
    const missing = list.filter((i) => !this.get(i));
    if (missing.length) this.listed.ask(missing.slice(0, AT_ONCE));
  }

  /** More may have come. */
  refresh() {
    this.tail.ask();
  }

  close() {
    this.latest.close();
    this.tail.close();
    this.listed.close();
    this.changed = () => {};
  }
}

/** One search, in slices of the server's; goes on where it stopped when more has come. */
export class Search {
  /**
   * @param {number} conn
   * @param {import("./wanted.js").Wanted} wanted
   * @param {() => void} changed
   */
  constructor(conn, wanted, changed) {
    this.conn = conn;
    this.wanted = wanted;
    this.changed = changed;
    /** @type {number[]} */
    this.matches = [];
    this.upto = 0;
    this.total = 0;
    this.searching = false;
    /** @type {string | null} */
    this.error = null;
    this.closed = false;
  }

  /** Looks through what has not been looked through. @param {number} total entries that there are */
  async run(total) {
    this.total = total;
    if (this.searching || this.closed || this.error || this.upto >= total) return;
    this.searching = true;
    try {
      // More may come while it searches.
      while (this.upto < this.total && !this.closed) {
        const from = this.upto;
        const found = await getJson("find", { conn: this.conn, ...asParams(this.wanted), from });
        if (this.closed) return;
        if (found.error) {
          this.error = found.error;
          break;
        }
        const last = this.matches.length ? this.matches[this.matches.length - 1] : -1;
        for (const i of found.matches) if (i > last) this.matches.push(i);
        this.upto = Math.max(from + 1, found.next ?? found.upto);
        this.changed();
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    } finally {
      this.searching = false;
      if (!this.closed) this.changed();
    }
  }

  close() {
    this.closed = true;
  }
}
