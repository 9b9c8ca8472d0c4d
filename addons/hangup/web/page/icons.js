// Small pictures, drawn here: the marks of the timeline for its legend, and a few for buttons.

import { html } from "./vendor/preact-htm.js";

/** @param {{d?: string, children?: any, label?: string, class?: string}} props */
function Icon({ d, children, class: name = "" }) {
  return html`<svg class=${`icon ${name}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    ${d ? html`<path d=${d} />` : children}
  </svg>`;
}

/** A loop's arrow. */
export const LoopIcon = () => html`<${Icon} class="stroke" d="M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3" />`;
export const MinusIcon = () => html`<${Icon} class="stroke" d="M3.5 8h9" />`;
export const PlusIcon = () => html`<${Icon} class="stroke" d="M3.5 8h9M8 3.5v9" />`;
export const FitIcon = () => html`<${Icon} class="stroke" d="M2.5 4v8M13.5 4v8M5 8h6M6.8 6 5 8l1.8 2M9.2 6 11 8l-1.8 2" />`;
export const PanelIcon = () => html`<${Icon} class="stroke" d="M2.5 3.5h11v9h-11zM10 3.5v9" />`;
export const CloseIcon = () => html`<${Icon} class="stroke" d="M4 4l8 8M12 4l-8 8" />`;

export const SearchIcon = () => html`<${Icon} class="stroke" d="M7 2.500a4.500 4.500 0 1 0 0 9a4.500 4.500 0 1 0 0-9M10.500 10.500 14 14" />`;

export const CopyIcon = () => html`<${Icon} class="stroke" d="M5.500 5.500h8v8h-8zM3.500 10.500h-1v-8h8v1" />`;

export const ClockIcon = () => html`<${Icon} class="stroke" d="M8 2.500a5.500 5.500 0 1 0 0 11a5.500 5.500 0 1 0 0-11M8 5v3.200l2 1.500" />`;

/** The mark of a kind of frame as in the timeline. @param {{kind: string}} props */
export function Mark({ kind }) {
  const paths = {
    client: html`<path class="client fill" d="M7 2h2v9H7z" /><path class="line" d="M2 13.5h12" />`,
    server: html`<path class="server fill" d="M7 5h2v9H7z" /><path class="line" d="M2 2.5h12" />`,
    heartbeat: html`<path class="heartbeat fill" d="M8 2.5 13 8l-5 5.500L3 8z" />`,
    ping: html`<path class="heartbeat outline" d="M8 4l4.500 8h-9z" />`,
    pong: html`<circle class="heartbeat outline" cx="8" cy="8" r="4" />`,
    close: html`<path class="server fill" d="M4 4h8v8H4z" />`,
    problem: html`<path class="bad outline" d="M4 4l8 8M12 4l-8 8" />`,
    filter: html`<path class="proxy fill" d="M3 5h10l-5 6z" />`,
    log: html`<path class="warn fill" d="M4 2h1v12H4zM5 2l8 3.500-8 3.500z" />`,
  };
  return html`<svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">${paths[/** @type {keyof typeof paths} */ (kind)]}</svg>`;
}
