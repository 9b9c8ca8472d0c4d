// Where the rows of a list stand that may be taller than a browser lets an element be.

/** No browser stops below this many pixels (Firefox at 17.9 million, Chromium at 33.5). */
export const TALLEST = 8_000_000;

/**
 * A scroll position among `total` rows of `row` pixels. `top` is the list's own position in pixels, exact for any number
 * of rows; `physical` is where the element's scroll bar stands for it. They are the same until the list is too tall: then a
 * small step of the scroll bar is taken as that step, a large one (its thumb was dragged) in proportion.
 */
export class ScaledScroll {
  /** @param {number} row pixels */
  constructor(row) {
    this.row = row;
    this.total = 0;
    this.viewport = 0;
    this.top = 0;
    this.last = 0;
  }

  /** The list's own height. */
  get height() {
    return this.total * this.row;
  }

  /** The element's. */
  get tall() {
    return Math.min(this.height, TALLEST);
  }

  get scaled() {
    return this.height > TALLEST;
  }

  get most() {
    return Math.max(0, this.height - this.viewport);
  }

  /** Where the scroll bar belongs. */
  get physical() {
    if (!this.scaled) return this.top;
    return this.most ? (this.top / this.most) * (TALLEST - this.viewport) : 0;
  }

  /** @param {number} total @param {number} viewport pixels */
  resize(total, viewport) {
    this.total = total;
    this.viewport = viewport;
    this.top = Math.min(this.top, this.most);
  }

  /**
   * The element has been scrolled to here.
   * @param {number} scrollTop
   */
  scrolled(scrollTop) {
    const step = scrollTop - this.last;
    this.last = scrollTop;
    if (!this.scaled) this.top = scrollTop;
    else if (Math.abs(step) < this.viewport) this.top += step;
    else this.top = (scrollTop / (TALLEST - this.viewport)) * this.most;
    this.top = Math.max(0, Math.min(this.most, this.top));
  }

  /**
   * Goes there; to be followed by setting the element's scrollTop to what is returned.
   * @param {number} top
   */
  go(top) {
    this.top = Math.max(0, Math.min(this.most, top));
    // As browsers round it.
    this.last = Math.round(this.physical);
    return this.last;
  }

  /** The top at which row `index` is in sight, the present one if it is already. @param {number} index */
  revealing(index) {
    const top = index * this.row;
    if (top < this.top) return top;
    return top + this.row > this.top + this.viewport ? top + this.row - this.viewport : this.top;
  }

  /** The first row in sight, and the one after the last. */
  get range() {
    const first = Math.max(0, Math.floor(this.top / this.row));
    return [first, Math.min(this.total, Math.ceil((this.top + this.viewport) / this.row))];
  }
}
