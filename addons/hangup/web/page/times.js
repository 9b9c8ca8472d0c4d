// How a moment of the recording is told: in seconds from its start, or by the clock on the wall.

import { clock } from "./format.js";

export class Times {
  /**
   * @param {string | undefined} started  when the recording began, as in its header
   * @param {"relative" | "clock"} how
   */
  constructor(started, how) {
    this.started = started ? Date.parse(started) : NaN;
    // What a date has no room for: it counts in milliseconds.
    const fraction = /\.\d{3}(\d{1,6})/.exec(started ?? "")?.[1] ?? "0";
    this.rest = Number(`0.${fraction}`) / 1000;
    /** Whether the recording says when it began. */
    this.known = !Number.isNaN(this.started);
    this.byClock = how === "clock" && this.known;
  }

  /** Seconds from midnight, where the recording began, to its start: round times of the day are not round ones here. */
  get origin() {
    if (!this.byClock) return 0;
    const date = new Date(this.started);
    const midnight = new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
    return (this.started - midnight) / 1000 + this.rest;
  }

  /**
   * `12.345 s`, `1:05.123`; by the clock `21:08:12.345`.
   * @param {number} at seconds
   * @param {number} [step] seconds between two that must differ
   */
  moment(at, step = 0.001) {
    if (!this.byClock) return clock(at, step) + (Math.abs(at) < 59.9995 ? " s" : "");
    const decimals = Math.min(6, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
    const unit = 10 ** decimals;
    const whole = Math.round((this.started / 1000 + this.rest + at) * unit) / unit;
    const date = new Date(Math.floor(whole + 1e-9) * 1000);
    const fraction = Math.round((whole - Math.floor(whole + 1e-9)) * unit);
    const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0"));
    return parts.join(":") + (decimals ? `.${String(Math.max(0, fraction)).padStart(decimals, "0")}` : "");
  }
}

let last = { started: /** @type {string | undefined} */ (undefined), how: "", times: new Times(undefined, "relative") };

/** As the page has them now. @param {Pick<import("./store.js").State, "header" | "times">} state */
export function timesOf({ header, times: how }) {
  if (last.started !== header.started || last.how !== how) last = { started: header.started, how, times: new Times(header.started, how) };
  return last.times;
}
