// What most probably happened, how sure that is, and the frames that say so.

import { ApiError, getJson, Latest, postJson } from "./api.js";
import { CopyButton } from "./copy.js";
import { visible } from "./format.js";
import { useStore } from "./store.js";
import { html, useEffect, useMemo, useState } from "./vendor/preact-htm.js";

/** Milliseconds between two questions: all connections are judged anew for each. */
const PAUSE = 3000;

/** @param {{store: import("./store.js").Store}} props */
export function WhyPanel({ store }) {
  const conn = useStore(store, (state) => state.selected?.conn ?? 0);
  const [one, setOne] = useState(false);
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  // That a connection lives on also speaks for something.
  const rev = useStore(store, (state) => state.rev);
  const bisect = useStore(store, (state) => state.bisect);
  const asking = useMemo(
    () =>
      new Latest(async (/** @type {number | null} */ which) => {
        try {
          setFound(await getJson("why", { conn: which }));
          setProblem(null);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          setProblem(error.message);
        }
      }, PAUSE),
    [],
  );
  useEffect(() => () => asking.close(), [asking]);
  useEffect(() => {
    if (rev) asking.ask(one && conn ? conn : null);
  }, [one, one && conn, rev, bisect]);

  return html`<div class="pane why">
    <div class="segments" role="group" aria-label="Which connections">
      <button class="quiet" aria-pressed=${one ? "false" : "true"} onClick=${() => setOne(false)}>the whole recording</button>
      <button class="quiet" aria-pressed=${one ? "true" : "false"} disabled=${!conn} onClick=${() => setOne(true)}>connection ${conn || "…"}</button>
    </div>
    ${problem && html`<p class="error">${visible(problem, 400)}</p>`} ${!found && !problem && html`<p class="note" role="status">Waiting for a connection to end</p>`}
    ${found && html`<${Verdict} store=${store} found=${found} />`}
  </div>`;
}

/** @param {{store: import("./store.js").Store, found: any}} props */
function Verdict({ store, found }) {
  const { proved } = found;
  const { title, sentence, fix } = proved ?? { title: found.verdict, sentence: found.sentence, fix: found.hint };
  return html`<div>
    <p class="verdict-name"><code>${visible(title.replace(/\/$/, ""))}</code>
      ${proved ? html`<span class="chip proved">proved</span>` : !title.startsWith("unknown") && html`<${Confidence} value=${found.confidence} />`}</p>
    ${sentence && html`<p class="verdict-sentence"><bdi>${ticked(visible(sentence, 1000))}</bdi></p>`}
    ${proved && html`<${Proved} proved=${proved} />`}
    ${fix && html`<p class="hint"><bdi>${ticked(visible(fix, 1500))}</bdi></p>`}
    <h3>Evidence</h3>
    <${Evidence} store=${store} signs=${found.evidence ?? []} />
    ${!proved && found.next?.length > 0 &&
    html`<h3>What to try next</h3>
      <ul class="next">${found.next.map((/** @type {any} */ step, /** @type {number} */ index) => html`<${Step} key=${index} store=${store} step=${step} />`)}</ul>`}
    ${!proved && found.alternatives?.length > 0 &&
    html`<h3>What else it might be</h3>
      ${found.alternatives.map(
        (/** @type {any} */ other) => html`<details key=${other.verdict}>
          <summary><code>${visible(other.verdict)}</code> <${Confidence} value=${other.confidence} /></summary>
          <${Evidence} store=${store} signs=${other.evidence ?? []} />
        </details>`,
      )}`}
    ${(found.notes ?? []).map((/** @type {string} */ note) => html`<p class="note" key=${note}>${ticked(visible(note, 600))}</p>`)}
  </div>`;
}

/** What a bisect has proved: it says more than reading does. @param {{proved: any}} props */
function Proved({ proved }) {
  const [right, predicted] = proved.predicted;
  return html`<h3>Proof</h3>
    <ul class="proof-lines">
      <li><bdi>${visible(proved.counts, 400)}</bdi></li>
      ${proved.law && html`<li><bdi>${ticked(visible(proved.law, 400))}</bdi>${proved.boundary && html` (<bdi>${ticked(visible(proved.boundary, 300))}</bdi>)`}</li>`}
      ${predicted > 0 && html`<li>predicted ${right} of ${predicted} new exchanges</li>`}
      ${proved.cure && html`<li>stays open with <code><bdi>${visible(proved.cure, 400)}</bdi></code></li>`}
    </ul>`;
}

/** @param {{value: number}} props */
export function Confidence({ value }) {
  const percent = Math.round(value * 100);
  return html`<span class="confidence"><span class="bar" aria-hidden="true"><span style=${{ width: `${percent}%` }}></span></span>${percent}% sure</span>`;
}

/** Text between backticks as code. @param {string} text */
export function ticked(text) {
  return text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));
}

/** @param {{store: import("./store.js").Store, signs: any[]}} props */
export function Evidence({ store, signs }) {
  return html`<ul class="evidence">
    ${signs.map(
      (sign, index) => html`<li key=${index} class=${(sign.weight ?? 0) < 0 ? "against" : "for"}>
        <span class="sign" aria-label=${(sign.weight ?? 0) < 0 ? "against" : "for"}>${(sign.weight ?? 0) < 0 ? "−" : "+"}</span>
        <span><bdi>${ticked(visible(sign.text, 800))}</bdi> ${(sign.cites ?? []).map((/** @type {any} */ cite) => html`<${Cite} store=${store} cite=${cite} />`)}</span>
      </li>`,
    )}
  </ul>`;
}

/** @param {{store: import("./store.js").Store, cite: {conn: number, frame?: number | null}}} props */
function Cite({ store, cite }) {
  const { conn, frame } = cite;
  return html`<button class="link cite" aria-label=${`connection ${conn}${frame ? `, frame ${frame}` : ""}`}
    title=${`connection ${conn}${frame ? `, frame ${frame}` : ""}`}
    onClick=${() => store.select(conn, { n: frame ?? null })}>#${conn}${frame ? ` frame ${frame}` : ""}</button> `;
}

/** @param {{store: import("./store.js").Store, step: {text: string, filter?: string, command?: string}}} props */
function Step({ store, step }) {
  const readonly = useStore(store, (state) => state.readonly);
  const on = useStore(store, (state) => state.filters.some((each) => each.on && each.filter === step.filter));
  const [answer, setAnswer] = useState("");
  const add = async () => {
    try {
      await postJson("filters/add", { filter: step.filter });
      setAnswer("");
    } catch (error) {
      setAnswer(error instanceof Error ? error.message : String(error));
    }
  };
  const shown = readonly || !step.filter ? step.command : step.filter;
  return html`<li>
    <span><bdi>${visible(step.text, 600)}</bdi></span>
    ${shown && html`<div class="with-copy"><code class="command"><bdi>${visible(shown ?? "", 600)}</bdi></code><${CopyButton} text=${shown} what="the command" /></div>`}
    ${step.filter && !readonly && (on ? html`<span class="chip proxy">is on</span>` : html`<button onClick=${add}>Switch on</button>`)} ${answer && html`<span class="note" role="status">${visible(answer, 300)}</span>`}
  </li>`;
}
