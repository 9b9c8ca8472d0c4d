// The style sheet's colours for the canvas, which cannot read variables by itself.

const NAMES = [
  "bg", "panel", "text", "dim", "line", "accent", "client", "server", "proxy", "ok", "bad", "warn", "heartbeat",
  "focus", "raised",
];

/** @typedef {Record<string, string>} Palette */

/** @returns {Palette} */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** The variable for how a connection ended. @type {Record<import("./store.js").Class, string>} */
export const CLASS_COLOUR = { open: "accent", clean: "ok", abnormal: "bad", refused: "warn", proxy: "proxy", untold: "dim" };

/**
 * @param {() => void} changed
 * @returns {() => void} ends it
 */
export function onThemeChange(changed) {
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", changed);
  return () => query.removeEventListener("change", changed);
}
