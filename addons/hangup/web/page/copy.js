// Buttons that copy.

import { CopyIcon } from "./icons.js";
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";

/** Milliseconds for which it is said that it was copied. */
const SAID = 2000;

/**
 * Puts a text into the clipboard; whether that could be done.
 * @param {string} text
 * @param {HTMLElement} near where the page may put a field for a moment
 */
export async function copied(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not allowed, or a browser without it: the old way.
    const area = document.createElement("textarea");
    area.value = text;
    near.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** @param {{text: string | (() => string), what: string, words?: string}} props `what` is copied, for its name */
export function CopyButton({ text, what, words = "" }) {
  const [said, setSaid] = useState("");
  const box = useRef(/** @type {any} */ (null));
  const timer = useRef(/** @type {any} */ (0));
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    const done = await copied(typeof text === "string" ? text : text(), box.current);
    setSaid(done ? "copied" : "copying failed");
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(""), SAID);
  };
  return html`<span class="copy" ref=${box}>
    <button type="button" class="quiet" title=${`Copy ${what}`} aria-label=${`Copy ${what}`} onClick=${copy}><${CopyIcon} />${words}</button>
    <span class="note" role="status">${said}</span>
  </span>`;
}
