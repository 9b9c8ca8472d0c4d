// A row of tabs, by the keyboard as well.

import { html } from "./vendor/preact-htm.js";

/**
 * @param {{label: string, chosen: string, choose: (name: string) => void, tabs: [string, any][], controls?: string}} props
 */
export function Tabs({ label, chosen, choose, tabs, controls }) {
  /** @param {any} event */
  const key = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[/** @type {string} */ (event.key)];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const at = tabs.findIndex(([name]) => name === chosen);
    const next = Math.abs(step) > 1 ? (step < 0 ? 0 : tabs.length - 1) : (at + step + tabs.length) % tabs.length;
    choose(tabs[next][0]);
    event.currentTarget.children[next]?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${key}>
    ${tabs.map(
      ([name, words]) => html`<button
        key=${name}
        role="tab"
        aria-selected=${name === chosen ? "true" : "false"}
        aria-controls=${controls}
        tabindex=${name === chosen ? 0 : -1}
        onClick=${() => choose(name)}
      >${words}</button>`,
    )}
  </div>`;
}
