// Wheel, drag, pinch and pointer over an element, as what they mean.

/**
 * @typedef {object} Handlers
 * @property {(factor: number, x: number) => void} zoom  above 1 widens; x in pixels of the element
 * @property {(dx: number, dy: number) => void} pan  what is drawn moves by this
 * @property {(point: {x: number, y: number} | null) => void} hover
 * @property {(point: {x: number, y: number}) => void} click
 */

/**
 * @param {HTMLElement} element
 * @param {Handlers} handlers
 * @returns {() => void} ends it
 */
export function gestures(element, handlers) {
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let moved = 0;
  let apart = 0;

  /** @param {MouseEvent} event */
  const point = (event) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  /** @param {WheelEvent} event */
  const wheel = (event) => {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    if (event.shiftKey) handlers.pan(-(dx || dy), 0);
    else if (Math.abs(dx) > Math.abs(dy)) handlers.pan(-dx, 0);
    // A pinch on a touchpad comes as a wheel with Ctrl, and in small numbers.
    else handlers.zoom(Math.exp(Math.max(-200, Math.min(200, dy)) * (event.ctrlKey ? 0.01 : 0.002)), point(event).x);
  };

  /** @param {PointerEvent} event */
  const press = (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, point(event));
    moved = down.size > 1 ? Infinity : 0;
    apart = distance(down);
  };

  /** @param {PointerEvent} event */
  const move = (event) => {
    const here = point(event);
    const before = down.get(event.pointerId);
    if (!before) {
      handlers.hover(here);
      return;
    }
    down.set(event.pointerId, here);
    if (down.size === 2) {
      const now = distance(down);
      const [a, b] = [...down.values()];
      if (now > 10 && apart > 10) handlers.zoom(apart / now, (a.x + b.x) / 2);
      apart = now;
      return;
    }
    moved += Math.abs(here.x - before.x) + Math.abs(here.y - before.y);
    if (moved > 4) {
      element.classList.add("dragging");
      handlers.hover(null);
      // By touch, the page itself scrolls up and down.
      handlers.pan(here.x - before.x, event.pointerType === "touch" ? 0 : here.y - before.y);
    }
  };

  /** @param {PointerEvent} event */
  const release = (event) => {
    const was = down.delete(event.pointerId);
    element.classList.remove("dragging");
    if (was && event.type === "pointerup" && moved <= 4) handlers.click(point(event));
  };

  const leave = () => handlers.hover(null);

  element.addEventListener("wheel", wheel, { passive: false });
  element.addEventListener("pointerdown", press);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
  element.addEventListener("pointerleave", leave);
  return () => {
    element.removeEventListener("wheel", wheel);
    element.removeEventListener("pointerdown", press);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", release);
    element.removeEventListener("pointercancel", release);
    element.removeEventListener("pointerleave", leave);
  };
}

/** @param {Map<number, {x: number, y: number}>} points */
function distance(points) {
  const [a, b] = [...points.values()];
  return b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
}
