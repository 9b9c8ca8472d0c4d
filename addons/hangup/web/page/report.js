// A recording as a document that stands alone: who hung up, why, how sure that is and what to do; then what shows it.

import { answerFrom } from "./api.js";
import { ConnectionView } from "./connection.js";
import { embedded } from "./embedded.js";
import { duration, plural, visible, visibleLines } from "./format.js";
import { Ladder } from "./ladder.js";
import { Splitter } from "./splitter.js";
import { Store, useStore } from "./store.js";
import { Timeline } from "./timeline.js";
import { html, render, useEffect, useRef } from "./vendor/preact-htm.js";
import { Confidence, Evidence, ticked } from "./why.js";

/** @param {{store: Store, data: any}} props */
function Report({ store, data }) {
  const explorer = useRef(/** @type {any} */ (null));
  // What is spoken of is shown further down.
  const goes = (/** @type {any} */ event) => {
    if (event.target.closest(".cite, .link")) explorer.current?.scrollIntoView({ block: "start" });
  };
  const { why, proof } = data;
  return html`<main class="report" onClick=${goes}>
    <${Lead} data=${data} />
    <div class="columns">
      ${why.evidence.length > 0 && html`<section class="why" aria-labelledby="because">
        <h2 id="because">${why.verdict.startsWith("none/") ? "Signs of success" : "The evidence"}</h2>
        <${Evidence} store=${store} signs=${why.evidence} />
        ${why.loop && html`<p class="note"><bdi>${visible(why.loop, 800)}</bdi></p>`}
        <${Else} store=${store} why=${why} proved=${data.summary.proved} />
      </section>`}
      ${why.timeline?.length > 0 && html`<${Story} why=${why} />`}
    </div>
    ${proof && html`<${Proof} store=${store} proof=${proof} />`}
    <${Next} summary=${data.summary} />
    <section class="explorer" ref=${explorer} aria-labelledby="all">
      <h2 id="all">Every connection, every frame</h2>
      <${Notes} store=${store} hidden=${data.hidden} />
      <${Explorer} store=${store} first=${data.summary.conn} />
    </section>
    <footer class="dim">
      Recorded by <b>hangup</b> ${visible(data.version, 40)}, a WebSocket proxy that tells who hung up. This file makes no requests and can
      be opened offline. A browser reports 1006 whenever no close frame came; the recording shows what was on the wire.
    </footer>
  </main>`;
}

const TONES = { dropped: "✗", fine: "✓", open: "?" };

/** @param {{data: any}} props */
function Lead({ data }) {
  const { summary, why, proof } = data;
  const { backend, paths, more_paths: more, started, extent } = summary;
  const law = proof?.proved && proof.law;
  return html`<header class=${`lead ${summary.tone}`}>
    <p class="eyebrow dim"><span>Who hung up?</span>
      ${backend && html`<code title="The backend"><bdi>${visible(backend, 200)}</bdi></code>`}
      ${paths.map((/** @type {string} */ path) => html`<code key=${path}><bdi>${visible(path, 200)}</bdi></code>`)}
      ${more > 0 && html`<span>and ${plural(more, "other path")}</span>`}
      ${started && html`<span><time datetime=${started}>${moment(started)}</time></span>`}
      <span>${visible(extent, 100)}</span>
    </p>
    <h1><span class="sign" aria-hidden="true">${TONES[/** @type {keyof typeof TONES} */ (summary.tone)]}</span> ${visible(summary.headline, 200)}</h1>
    <p class="sentence"><bdi>${ticked(visible(summary.sentence, 1200))}</bdi></p>
    ${summary.ending && summary.tone !== "fine" && html`<p class="dim">Connection ${summary.conn}: <bdi>${visible(summary.ending, 600)}</bdi>.</p>`}
    <dl class="answers">
      <div><dt>Cause</dt><dd><code>${visible(summary.verdict, 80)}</code></dd></div>
      <div class=${summary.proved ? "proved" : ""}><dt>How sure</dt>
        <dd>${!summary.proved && why.confidence > 0 && html`<${Confidence} value=${why.confidence} /> `}<bdi>${visible(sure(summary, why), 400)}</bdi></dd></div>
      ${law && html`<div><dt>The rule</dt><dd><bdi>${ticked(visible(law.sentence, 400))}</bdi>${law.boundary && html` (<bdi>${ticked(visible(law.boundary, 300))}</bdi>)`};
        it predicted ${law.predictions[0]} of ${law.predictions[1]} new exchanges</dd></div>`}
      ${summary.fix && html`<div class="fix"><dt>What to do</dt><dd><bdi>${ticked(visible(summary.fix, 1500))}</bdi></dd></div>`}
    </dl>
  </header>`;
}

/** The percentage stands beside it already. @param {any} summary @param {any} why */
const sure = ({ sure, proved }, { confidence }) => (proved || !confidence ? sure : sure.replace(/^\d+% sure, f/, "F"));

/** A recording's own moment, in the words of all places. @param {string} started */
function moment(started) {
  const at = new Date(started);
  if (Number.isNaN(at.getTime())) return visible(started, 40);
  const format = { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" };
  return `${new Intl.DateTimeFormat("en-GB", /** @type {any} */ (format)).format(at)} UTC`;
}

/** How one connection ended, message by message. @param {{why: any}} props */
function Story({ why: { timeline: marks, conn, trigger } }) {
  const frame = trigger.conn === conn ? trigger.frame : null;
  return html`<section class="story" aria-labelledby="story">
    <h2 id="story">How connection ${conn} ended</h2>
    <p class="between dim" aria-hidden="true"><span>client</span><span>server</span></p>
    <ol>
      ${marks.map((/** @type {any} */ mark, /** @type {number} */ index) => html`<li key=${index} class=${`${mark.side} ${mark.kind ?? "message"} ${mark.n && mark.n === frame ? "trigger" : ""}`}>
        <span class="row-time">${Math.abs(mark.at) < 0.00005 ? "0" : mark.at < 0 ? duration(mark.at) : `+${duration(mark.at)}`}</span>
        <span class="said"><span class="unseen">${mark.side}: </span><bdi>${visible(mark.text, 300)}</bdi></span>
      </li>`)}
    </ol>
  </section>`;
}

/** @param {{store: Store, why: any, proved: boolean}} props */
function Else({ store, why, proved }) {
  const others = (why.alternatives ?? []).filter((/** @type {any} */ each) => each.confidence >= 0.01 && !(why.also ?? []).includes(each.verdict));
  if (!others.length || proved) return null;
  return html`<h3>What else it might be</h3>
    ${others.map((/** @type {any} */ other) => html`<details key=${other.verdict}>
      <summary><code>${visible(other.verdict, 80)}</code> <${Confidence} value=${other.confidence} /></summary>
      <${Evidence} store=${store} signs=${other.evidence ?? []} />
    </details>`)}`;
}

/** @param {{store: Store, proof: any}} props */
function Proof({ store, proof }) {
  const { minimal } = proof;
  return html`<section class="proof" aria-labelledby="proof">
    <h2 id="proof">The proof: one thing was changed at a time</h2>
    <p class=${`headline ${proof.proved ? "proved" : "open"}`}>${visible(proof.headline, 300)}</p>
    ${proof.claim && html`<p class="claim mono">${visible(proof.claim, 300)}</p>`}
    ${proof.ladder.length > 0 && html`<${Ladder} store=${store} state=${{ ladder: proof.ladder, trial: null }} />`}
    <dl class="pairs">
      ${proof.cure && html`<dt>stays open with</dt><dd><code><bdi>${visible(proof.cure, 400)}</bdi></code></dd>`}
      ${typeof minimal?.payload === "string" && html`<dt>smallest message that fails</dt>
        <dd>${minimal.payload ? html`<code><bdi>${visible(minimal.payload, 1000)}</bdi></code>` : "(empty)"} (${visible(minimal.opcode ?? "text", 40)})</dd>`}
      ${minimal?.neighbour && html`<dt>for comparison</dt><dd><bdi>${visible(minimal.neighbour, 400)}</bdi></dd>`}
      ${proof.target && html`<dt>tried against</dt><dd><code><bdi>${visible(proof.target, 200)}</bdi></code>, ${plural(proof.connections, "connection")} in ${duration(proof.seconds)}</dd>`}
    </dl>
    ${proof.verification.map((/** @type {string} */ line) => html`<p key=${line}>${visible(line, 400)}</p>`)}
    ${proof.log.length > 0 && html`<h3>The backend's log at that moment</h3>
      ${proof.log.map((/** @type {any} */ line, /** @type {number} */ index) => html`<pre key=${index} class="code" tabindex="0"><bdi>${visibleLines(line.text.slice(-4000))}</bdi></pre>`)}`}
  </section>`;
}

/** @param {{summary: any}} props */
function Next({ summary }) {
  const { next, reproduce } = summary;
  if (!next.length && !reproduce.length) return null;
  return html`<section class="columns">
    ${next.length > 0 && html`<div><h2>What to try next</h2><${Doing} things=${next} /></div>`}
    ${reproduce.length > 0 && html`<div><h2>How to reproduce it</h2><${Doing} things=${reproduce} /></div>`}
    <p class="note"><code>uvx hangup …</code> runs these commands without installing anything.</p>
  </section>`;
}

/** @param {{things: {text: string, command: string}[]}} props */
function Doing({ things }) {
  return html`<ul class="next">${things.map(
    (each) => html`<li key=${each.text}>
      <span><bdi>${ticked(visible(sentence(each.text), 800))}</bdi></span>
      ${each.command && html`<code class="command"><bdi>${visible(each.command, 600)}</bdi></code>`}
    </li>`,
  )}</ul>`;
}

/** @param {string} text */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {{store: Store, hidden: number | null}} props */
function Notes({ store, hidden }) {
  const notes = useStore(store, (state) => state.notes);
  const secrets = hidden === null ? "Secrets were not looked for: this may hold passwords, tokens and cookies."
    : hidden ? `Secrets were replaced in ${plural(hidden, "place")}: [redacted-1] and so on, equal ones the same.` : "No secrets were found.";
  return html`<ul class="notes-list">${[secrets, ...notes].map((note) => html`<li key=${note} class="note"><bdi>${visible(note, 500)}</bdi></li>`)}</ul>`;
}

/** @param {{store: Store, first: number | null}} props  `first`: the connection that is shown at first */
function Explorer({ store, first }) {
  const main = useRef(/** @type {any} */ (null));
  const enter = () => main.current?.querySelector(".connection .list")?.focus();
  useEffect(() => {
    // The document is what a wheel scrolls; with Ctrl (so does a pinch) or Shift it is the timeline's.
    const wheel = (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.shiftKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) event.stopPropagation();
    };
    main.current.addEventListener("wheel", wheel, { capture: true, passive: true });
    // Not before the timeline is there, which brings it into sight.
    if (first !== null) store.select(first);
  }, []);
  return html`<div class="main" ref=${main}>
    <${Timeline} store=${store} enter=${enter} />
    <${Splitter} of=${main} />
    <${ConnectionView} store=${store} />
  </div>`;
}

const data = JSON.parse(document.getElementById("data")?.textContent ?? "");
answerFrom(embedded(data));
const store = new Store();
store.merge(data.overview);
store.set({ alone: true, readonly: true });
render(html`<${Report} store=${store} data=${data} />`, /** @type {HTMLElement} */ (document.getElementById("page")));
