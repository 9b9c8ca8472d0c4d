// What a message says: JSON laid out, text, or bytes.

import { CopyButton } from "./copy.js";
import { number, visible, visibleLines } from "./format.js";
import { bytesOf, hexLines, jsonLines } from "./json.js";
import { html, useEffect, useMemo, useState } from "./vendor/preact-htm.js";

/** Lines, characters and bytes that are shown at first, and with each "more". */
const LINES = 800;
const CHARS = 20_000;
const BYTES = 2048;

/**
 * @param {{text: string | null, base64: string | null}} props one of the two, or neither when it is empty
 */
export function Payload({ text, base64 }) {
  const lines = useMemo(() => (text === null ? null : jsonLines(text)), [text]);
  const modes = [lines && "JSON", text !== null && "text", "hex"].filter(Boolean);
  const [chosen, choose] = useState("");
  if (!text && !base64) return html`<p class="note">The payload is empty.</p>`;
  const mode = modes.includes(chosen) ? chosen : modes[0];
  return html`<div class="payload">
    <div class="payload-bar">${modes.length > 1 &&
    html`<div class="segments" role="group" aria-label="How the message is shown">
      ${modes.map((each) => html`<button key=${each} class="quiet" aria-pressed=${each === mode ? "true" : "false"}
        onClick=${() => choose(/** @type {string} */ (each))}>${each}</button>`)}
    </div>`}
      <${CopyButton} what=${mode === "hex" ? "the bytes in hex" : "the message"} words="Copy"
        text=${() => (mode === "hex" ? hexOf(text, base64) : text ?? "")} />
    </div>
    ${mode === "JSON" && html`<${Json} lines=${lines} />`} ${mode === "text" && html`<${Text} text=${text} />`}
    ${mode === "hex" && html`<${Hex} text=${text} base64=${base64} />`}
  </div>`;
}

/**
 * How much is shown so far; from the beginning again for another message.
 * @param {unknown} of
 * @param {number} step
 * @returns {[number, () => void]}
 */
function useMore(of, step) {
  const [most, setMost] = useState(step);
  useEffect(() => setMost(step), [of]);
  return [most, () => setMost(most + 4 * step)];
}

/** @param {{left: number, what: string, more: () => void}} props */
function More({ left, what, more }) {
  return left > 0 ? html`<button onClick=${more}>Show more (${number(left)} ${what} left)</button>` : null;
}

/** @param {string | null} text @param {string | null} base64 */
const hexOf = (text, base64) => [...bytesFrom(text, base64)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

/** @param {string | null} text @param {string | null} base64 */
const bytesFrom = (text, base64) => (base64 ? bytesOf(base64) : new TextEncoder().encode(text ?? ""));

/** @param {{lines: import("./json.js").Line[]}} props */
function Json({ lines }) {
  const [most, more] = useMore(lines, LINES);
  return html`<pre class="code" tabindex="0" aria-label="The message as JSON">${lines.slice(0, most).map(
      (line) => html`<span class="code-line">${line.map(([kind, text]) =>
        kind === "mark" || kind === "indent" ? text : html`<span class=${`json-${kind}`}><bdi>${visible(text)}</bdi></span>`)}${"\n"}</span>`,
    )}</pre>
    <${More} left=${lines.length - most} what="lines" more=${more} />`;
}

/** @param {{text: string}} props */
function Text({ text }) {
  const [most, more] = useMore(text, CHARS);
  return html`<pre class="code" tabindex="0" dir="ltr" aria-label="The message as text"><bdi>${visibleLines(text.slice(0, most))}</bdi></pre>
    <${More} left=${text.length - most} what="characters" more=${more} />`;
}

/** @param {{text: string | null, base64: string | null}} props */
function Hex({ text, base64 }) {
  const bytes = useMemo(() => bytesFrom(text, base64), [text, base64]);
  const [most, more] = useMore(bytes, BYTES);
  const rows = hexLines(bytes, most);
  return html`<pre class="code hex" tabindex="0" aria-label="The message's bytes">${rows.map(
      ([offset, digits, ascii]) => html`<span class="code-line"><span class="dim">${offset}</span>  ${digits}  <span class="json-string">${ascii}</span>${"\n"}</span>`,
    )}</pre>
    <${More} left=${bytes.length - most} what="bytes" more=${more} />`;
}
