// The ladder of an experiment: what was changed, how often it failed then, and what that says.

import { visible } from "./format.js";
import { html } from "./vendor/preact-htm.js";

/**
 * @typedef {object} Rung
 * @property {string} arm
 * @property {string} title
 * @property {string[]} filters
 * @property {[number, number]} failed  how often it failed, of how many
 * @property {number} unresolved
 * @property {"failed" | "survived" | "unresolved"} outcome
 */

/** An outcome as people are told it. @param {string} outcome */
export const told = (outcome) => (outcome === "survived" ? "stayed open" : outcome);

/** Marks of trials in a row; what there is more is in the counts. */
const MARKS = 6;

/** @param {{store: import("./store.js").Store, conn: number}} props */
export function Conn({ store, conn }) {
  return html`<button class="link" onClick=${() => store.select(conn)}>connection ${conn}</button>`;
}

/** One mark for each trial of a rung: failed, survived, neither. @param {{rung: Rung}} props */
function Marks({ rung }) {
  const [failed, all] = rung.failed;
  const marks = ["failed", "survived", "unresolved"].flatMap((kind, index) => Array([failed, all - failed, rung.unresolved][index]).fill(kind));
  return html`<span class="marks" aria-hidden="true">${marks.slice(0, MARKS).map((kind, index) => html`<span key=${index} class=${kind}></span>`)}</span>`;
}

/**
 * @param {{store: import("./store.js").Store, state: {ladder: Rung[], trial: {arm: string, conn: number} | null}}} props
 *   `trial` is the one that goes on
 */
export function Ladder({ store, state }) {
  const trying = state.trial?.arm;
  return html`<h3 id="ladder">The ladder</h3>
    <table class="ladder" aria-labelledby="ladder">
      <thead><tr><th scope="col">what was changed</th><th scope="col">failed</th><th scope="col">outcome</th></tr></thead>
      <tbody>
        ${state.ladder.map((rung) => {
          const decided = rung.failed[1] > 0 || rung.unresolved > 0;
          return html`<tr key=${rung.arm} class=${rung.arm === trying ? "trying" : ""}>
            <th scope="row">${visible(rung.title, 300)}
              ${rung.filters.length > 0 && html`<div class="filters">${rung.filters.map((filter) => html`<code key=${filter}><bdi>${visible(filter, 300)}</bdi></code> `)}</div>`}</th>
            <td>${decided && html`<${Marks} rung=${rung} /> ${rung.failed[1] ? `${rung.failed[0]}/${rung.failed[1]}` : "–"}`}</td>
            <td>${rung.arm === trying ? html`<${Conn} store=${store} conn=${/** @type {any} */ (state.trial).conn} />` : decided ? html`<span class=${`outcome ${rung.outcome}`}>${told(rung.outcome)}</span>` : "…"}</td>
          </tr>`;
        })}
      </tbody>
    </table>`;
}
