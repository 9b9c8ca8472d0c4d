// The bar that says what is looked for among entries.

import { visible } from "./format.js";
import { CloseIcon } from "./icons.js";
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { EVERYTHING, narrows } from "./wanted.js";

/** Milliseconds without a key before it is searched. */
const REST = 200;
const OPCODES = ["text", "binary", "continuation", "ping", "pong", "close"];
/** What can be asked for beside them. */
const OTHERS = ["heartbeat", "filter", "log", "raw", "end"];

/** @typedef {import("./wanted.js").Wanted} Wanted */

/**
 * @param {{label: string, value: Wanted, set: (wanted: Wanted) => void}} props `set` is called once the typing rests
 */
export function FilterBar({ label, value, set }) {
  const [wanted, change] = useState(value);
  const timer = useRef(/** @type {any} */ (0));
  useEffect(() => () => clearTimeout(timer.current), []);
  const sent = useRef(new WeakSet());
  // Another part of the page may have set it. What was set here is no news: by then the person may have gone on.
  useEffect(() => {
    if (!sent.current.has(value)) {
      clearTimeout(timer.current);
      change(value);
    }
  }, [value]);
  /** @param {Partial<Wanted>} part @param {number} [rest] */
  const update = (part, rest = 0) => {
    const next = { ...wanted, ...part };
    change(next);
    clearTimeout(timer.current);
    const found = { ...(narrows(next) ? next : EVERYTHING) };
    sent.current.add(found);
    timer.current = setTimeout(() => set(found), rest);
  };
  /** @param {any} event */
  const said = (event) => event.currentTarget.value;
  return html`<form class="filter-bar" role="search" aria-label=${label} onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <select aria-label="Side" value=${wanted.side} onChange=${(/** @type {any} */ event) => update({ side: said(event) })}>
      <option value="">both sides</option>
      <option value="client">client</option>
      <option value="server">server</option>
    </select>
    <select aria-label="Opcode" value=${wanted.opcode} onChange=${(/** @type {any} */ event) => update({ opcode: said(event) })}>
      <option value="">any opcode</option>
      ${OPCODES.map((opcode) => html`<option key=${opcode} value=${opcode}>${opcode}</option>`)}
      <option disabled>—</option>
      ${OTHERS.map((kind) => html`<option key=${kind} value=${kind}>${kind}</option>`)}
    </select>
    <input type="search" aria-label="Text" placeholder="text" value=${wanted.text} spellcheck=${false}
      onInput=${(/** @type {any} */ event) => update({ text: said(event) }, REST)} />
    <input type="search" aria-label="JSON path" placeholder="$.type==ping" class="mono" value=${wanted.path} spellcheck=${false}
      onInput=${(/** @type {any} */ event) => update({ path: said(event) }, REST)} />
    <label><input type="checkbox" checked=${wanted.problems} onChange=${(/** @type {any} */ event) => update({ problems: event.currentTarget.checked })} /> problems</label>
    ${wanted.kind && html`<span class="chip kind" title="Only messages of this kind"><span class="mono"><bdi>${visible(wanted.kind, 60)}</bdi></span>
      <button type="button" class="quiet" aria-label=${`Messages of any kind, not only ${visible(wanted.kind, 60)}`} onClick=${() => update({ kind: "" })}><${CloseIcon} /></button></span>`}
  </form>`;
}
