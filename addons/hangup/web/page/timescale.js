// The visible time span that the timeline shows: zoom, pan, follow. Numbers only.

const SHORTEST = 0.0005;
const STEPS = [1, 2, 5];
const LONG_STEPS = [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/** Seconds that a live recording may grow to before the window slides instead of widening. */
const GROWS_TO = 30;

export class TimeWindow {
  constructor() {
    this.from = 0;
    this.to = 10;
    /** The recording's latest moment in seconds. */
    this.now = 0;
    /** Room on the right, as a share: the words beside an ending stand there. */
    this.margin = 0.1;
    /** Whether the right edge stays with `now`. */
    this.follow = false;
    /** Whether the window widens with the recording, as nobody has chosen another. */
    this.whole = true;
    /** What is added to a moment to make it a time whose round numbers are shown, in seconds. */
    this.origin = 0;
  }

  get span() {
    return this.to - this.from;
  }

  /** The most that may be shown, in seconds. */
  get most() {
    return Math.max(1, this.now) * 1.3;
  }

  /**
   * Time goes on.
   * @param {number} now
   */
  advance(now) {
    this.now = now;
    if (this.whole && this.follow) this.show(Math.max(0, now - GROWS_TO), now);
    else if (this.whole) this.show(0, now);
    else if (this.follow) this.slide();
  }

  /** The right edge to `now`. */
  slide() {
    const span = this.span;
    this.to = this.now + span * Math.min(this.margin, 0.15);
    this.from = this.to - span;
  }

  /** Everything that there is. */
  fit() {
    this.whole = true;
    this.follow = false;
    this.show(0, this.now);
  }

  /**
   * From here to there, with a margin; chosen by somebody.
   * @param {number} from
   * @param {number} to
   */
  fitTo(from, to) {
    this.whole = false;
    this.follow = false;
    this.show(from, to);
  }

  /** @param {number} from @param {number} to */
  show(from, to) {
    const span = Math.max(to - from, this.now < 2 ? 2 : SHORTEST);
    this.from = from - span * 0.02;
    this.to = from + span * (1 + this.margin);
  }

  /**
   * @param {number} factor above 1 widens
   * @param {number} at the moment that stays where it is
   */
  zoom(factor, at) {
    const span = Math.min(this.most, Math.max(SHORTEST, this.span * factor));
    const share = (at - this.from) / this.span;
    this.whole = false;
    this.from = at - share * span;
    this.to = this.from + span;
    if (this.follow) this.slide();
    this.confine();
  }

  /** @param {number} seconds to the right */
  pan(seconds) {
    this.whole = false;
    if (seconds < 0) this.follow = false;
    this.from += seconds;
    this.to += seconds;
    this.confine();
  }

  /** Something of the recording stays in sight. */
  confine() {
    const span = this.span;
    const from = Math.min(Math.max(this.from, -span * 0.5), Math.max(0, this.now - span * 0.25));
    this.from = from;
    this.to = from + span;
  }

  /** @param {number} at @param {number} width pixels */
  x(at, width) {
    return ((at - this.from) / this.span) * width;
  }

  /** @param {number} x @param {number} width pixels */
  at(x, width) {
    return this.from + (x / width) * this.span;
  }

  /**
   * Where the axis has its numbers.
   * @param {number} width pixels
   * @returns {{step: number, at: number[]}}
   */
  numbers(width) {
    const step = niceStep((this.span / width) * 90);
    const at = [];
    const { origin } = this;
    const first = Math.ceil((Math.max(0, this.from) + origin) / step - 1e-9) + 0;
    for (let index = first; index * step - origin <= this.to && at.length < 100; index++) at.push(index * step - origin);
    return { step, at };
  }
}

/** The round number of seconds that is not below `least`. @param {number} least */
export function niceStep(least) {
  if (least > 5) return LONG_STEPS.find((step) => step >= least) ?? Math.ceil(least / 86400) * 86400;
  const power = 10 ** Math.floor(Math.log10(least));
  return (STEPS.find((step) => step * power >= least * 0.999) ?? 10) * power;
}
