// The live bisect: every reconnect of the page that loops is the next trial, until the cause is proved.

import { ApiError, apiUrl, getJson, postJson } from "./api.js";
import { FilterField } from "./completion.js";
import { copied, CopyButton } from "./copy.js";
import { changeFilters } from "./filters.js";
import { duration, listed, plural, visible, visibleLines } from "./format.js";
import { Conn, Ladder, told } from "./ladder.js";
import { useStore } from "./store.js";
import { html, useEffect, useReducer, useRef, useState } from "./vendor/preact-htm.js";

/**
 * @typedef {{number: number, arm: string, filters: string[], conn: number | null, outcome: string, lifetime: number | null, sentence: string}} Trial
 *
 * @typedef {object} Bisect  What `api/bisect` tells.
 * @property {"idle" | "watching" | "reading" | "trying" | "done"} phase
 * @property {string | null} looking_for
 * @property {number | null} conn
 * @property {{verdict: string, confidence: number, sentence: string} | null} why
 * @property {import("./ladder.js").Rung[]} ladder
 * @property {[string, number][]} standing
 * @property {Trial[]} trials
 * @property {{arm: string, filters: string[], conn: number} | null} trial
 * @property {{arm: string, filters: string[]} | null} next  on the next connection, while none is tried
 * @property {{steps: string[], connections: number, seconds: number} | null} left  about what it still needs
 * @property {number} connections
 * @property {number} seconds
 * @property {{connections: number, seconds: number}} budget
 * @property {{with: [number, number], without: [number, number]}} counts
 * @property {string | null} cure
 * @property {string | null} headline
 * @property {string | null} claim
 * @property {any} verdict
 * @property {string | null} markdown
 * @property {string | null} [folder] where the files are that hold secrets
 * @property {string | null} problem
 * @property {string[]} problems  what could not be written down
 * @property {string | null} busy  what is still done after the verdict
 * @property {string[]} downloads
 */

/** Milliseconds between two looks while it goes on. */
const POLL = 400;

/** @type {Record<string, string>} */
const DOWNLOADS = { reproducer: "Reproducer", minimal: "Smallest exchange", survives: "What stays open" };

/** What is written in the form; it stays while another panel is looked at. */
const asked = { fails_when: "", filters: [""], connections: "60", seconds: "600", survive: "", leave: false };

/** @param {{store: import("./store.js").Store}} props */
export function BisectPanel({ store }) {
  const phase = useStore(store, (state) => state.bisect);
  const [state, setState] = useState(/** @type {Bisect | null} */ (null));
  const [problem, setProblem] = useState("");
  const [again, setAgain] = useState(false);
  const going = state !== null && ["watching", "reading", "trying"].includes(state.phase);
  const asking = going || (state !== null && state.busy !== null && state.busy !== undefined);

  /** @param {() => Promise<Bisect>} ask */
  const take = async (ask) => {
    try {
      setState(await ask());
      setProblem("");
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.message);
      return false;
    }
  };
  useEffect(() => {
    const look = () => take(() => getJson("bisect"));
    look();
    if (!asking) return;
    const timer = setInterval(look, POLL);
    return () => clearInterval(timer);
  }, [asking, phase]);

  const start = async (/** @type {Record<string, unknown>} */ options) => {
    if (await take(() => postJson("bisect/start", options))) setAgain(false);
  };
  const stop = () => take(() => postJson("bisect/stop", {}));
  return html`<div class="pane bisect-panel">
    ${problem && html`<p class="error" role="alert">${visible(problem, 500)}</p>`}
    ${state && (state.phase === "idle" || again) && html`<${Ask} start=${start} cancel=${again ? () => setAgain(false) : null} />`}
    ${state && state.phase !== "idle" && !again && html`<${Shown} store=${store} state=${state} going=${going} stop=${stop} again=${() => setAgain(true)} />`}
  </div>`;
}

/** @param {{start: (options: Record<string, unknown>) => void, cancel: (() => void) | null}} props */
function Ask({ start, cancel }) {
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const form = asked;
  /** @param {"fails_when" | "connections" | "seconds" | "survive"} name */
  const field = (name) => ({
    value: form[name],
    onInput: (/** @type {any} */ event) => ((form[name] = event.currentTarget.value), redraw(0)),
  });
  const filter = (/** @type {number} */ index, /** @type {string} */ text) => {
    form.filters[index] = text;
    redraw(0);
  };
  const submit = () =>
    start({
      fails_when: form.fails_when,
      filters: form.filters.filter((text) => text.trim()),
      connections: Number(form.connections),
      seconds: Number(form.seconds),
      survive: form.survive === "" ? null : Number(form.survive),
      leave: form.leave,
    });
  return html`<form class="bisect-form" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), submit())}>
    <p>Leave the looping page open. Each time it reconnects, one thing is changed for that connection only; whatever keeps it open is removed and put back until the counts prove it.</p>
    <div class="buttons"><button type="submit" class="primary">Start</button> ${cancel && html`<button type="button" class="quiet" onClick=${cancel}>Cancel</button>`}</div>
    <details>
      <summary>Options</summary>
      <div class="fields">
        <label class="wide">The failure to look for (by default, what two connections have in common) <input class="mono" type="text" placeholder="code=1006 within=2s" spellcheck=${false} ...${field("fails_when")} /></label>
        <div class="wide given">
          <span class="label">Fixes to try along with the others</span>
          ${form.filters.map(
            (text, index) => html`<${FilterField} key=${index} value=${text} change=${(/** @type {string} */ now) => filter(index, now)} submit=${submit} label=${`A fix to try, ${index + 1}`} placeholder="query token FRESH" />`,
          )}
          <button type="button" class="quiet" onClick=${() => filter(form.filters.length, "")}>Another</button>
        </div>
        <label>At most <span class="unit"><input type="number" min="1" max="10000" required ...${field("connections")} /> connections</span></label>
        <label>and <span class="unit"><input type="number" min="1" step="any" required ...${field("seconds")} /> s</span></label>
        <label>A connection counts as fixed if it stays open past the failure by <span class="unit"><input type="number" min="0" step="any" placeholder="0.25" ...${field("survive")} /> s</span></label>
        <label class="wide check"><input type="checkbox" checked=${form.leave} onChange=${(/** @type {any} */ event) => ((form.leave = event.currentTarget.checked), redraw(0))} />
          do not close connections that stay open: remove their filters and let them drop by themselves</label>
      </div>
    </details>
  </form>`;
}

/** @param {Bisect} state */
function standing(state) {
  const rung = state.trial && state.ladder.find(({ arm }) => arm === state.trial?.arm);
  switch (state.phase) {
    case "watching":
      return "Waiting for two connections of the same page that fail alike…";
    case "reading":
      return "Finding what they have in common…";
    case "trying":
      return state.trial ? `Connection ${state.trial.conn}: ${rung ? rung.title : state.trial.arm}…` : "Waiting for the next reconnect…";
    default:
      return state.headline ?? "";
  }
}

/**
 * @param {{store: import("./store.js").Store, state: Bisect, going: boolean, stop: () => void, again: () => void}} props
 */
function Shown({ store, state, going, stop, again }) {
  const proved = state.verdict?.proved === true;
  return html`<div class="bisect">
    <div class="standing-line">
      <p class=${`headline ${going ? "going" : proved ? "proved" : "open"}`} role="status">${visible(standing(state), 300)}</p>
      ${going ? html`<button class="primary" onClick=${stop}>Stop</button>` : html`<button onClick=${again}>Again…</button>`}
    </div>
    ${state.claim && html`<p class="claim mono">${state.claim}</p>`} ${state.problem && html`<p class="error">${visible(state.problem, 500)}</p>`}
    ${!going && html`<${Verdict} store=${store} state=${state} />`}
    ${state.looking_for && html`<p class="note">looking for <code>${visible(state.looking_for, 200)}</code>${state.conn && html`, as in <${Conn} store=${store} conn=${state.conn} />`}</p>`}
    ${going && state.why && html`<p class="note">the recording alone suggests <code>${visible(state.why.verdict, 80)}</code>, ${Math.round(100 * state.why.confidence)}% sure</p>`}
    ${state.phase !== "watching" && html`<${Budget} state=${state} going=${going} />`}
    ${state.ladder.length > 0 && html`<${Ladder} store=${store} state=${state} />`}
    ${state.standing.length > 0 && !proved && html`<${Standing} state=${state} />`}
    ${state.verdict && Object.keys(state.verdict.ruled_out).length > 0 && html`<${RuledOut} found=${state.verdict.ruled_out} />`}
    ${state.trials.length > 0 && html`<${Trials} store=${store} trials=${state.trials} />`}
  </div>`;
}

/** How far it is, what it tries next, and about how much it still needs. @param {{state: Bisect, going: boolean}} props */
function Budget({ state, going }) {
  const { next, left, budget } = state;
  const rung = next && state.ladder.find(({ arm }) => arm === next.arm);
  const rest = [budget.connections - state.connections, budget.seconds - state.seconds].map((each) => Math.max(0, each));
  return html`<div class="budget">
    ${going && next && html`<p class="next-trial"><span class="dim">Next:</span> ${visible(rung ? rung.title : next.arm, 200)}
      ${next.filters.map((filter) => html` <code key=${filter}><bdi>${visible(filter, 300)}</bdi></code>`)}</p>`}
    ${going && left && left.steps.length > 0 && html`<p>Still to do: ${listed(left.steps)}, about ${plural(left.connections, "more connection")}, ${duration(left.seconds)}</p>`}
    <p class="note">${plural(state.connections, "connection")} and ${duration(state.seconds)} so far${going ? `; at most ${plural(rest[0], "connection")} and ${duration(rest[1])} are left` : ""}</p>
  </div>`;
}

/** @param {{state: Bisect}} props */
function Standing({ state }) {
  return html`<h3 id="standing">${state.phase === "done" ? "How likely each explanation is" : "Explanations that still fit"}</h3>
    <ul class="standing" aria-labelledby="standing">
      ${state.standing.slice(0, 6).map(([name, weight]) => {
        const percent = Math.round(weight * 100);
        return html`<li key=${name}><code>${visible(name, 80)}</code>
          <span class="bar" aria-hidden="true"><span style=${{ width: `${percent}%` }}></span></span>
          <span class="percent">${percent}%</span></li>`;
      })}
    </ul>`;
}

/** @param {{store: import("./store.js").Store, state: Bisect}} props */
function Verdict({ store, state }) {
  const found = state.verdict;
  if (!found) return null;
  const { minimal } = found;
  return html`<div class="found">
    ${state.cure && html`<${Cure} store=${store} cure=${state.cure} proved=${found.proved} />`}
    ${found.reproduced &&
    html`<dl class="pairs">
      <dt>ended by</dt><dd>${visible(found.closer, 40)}</dd>
      <dt>trigger</dt><dd>${visible(found.trigger.kind, 40)}${found.trigger.frame !== null && state.conn && html`, <button class="link" onClick=${() => store.select(state.conn, { n: found.trigger.frame })}>frame ${found.trigger.frame} of connection ${state.conn}</button>`}</dd>
      ${typeof minimal?.payload === "string" && html`<dt>smallest message that fails</dt><dd>${minimal.payload ? html`<code><bdi>${visible(minimal.payload, 300)}</bdi></code>` : `(empty, ${minimal.opcode})`}</dd>`}
      ${minimal?.neighbour && html`<dt>for comparison</dt><dd><bdi>${visible(minimal.neighbour, 300)}</bdi></dd>`}
    </dl>`}
    ${state.busy && html`<p class="note" role="status">${visible(state.busy, 200)}…</p>`}
    ${(state.problems ?? []).map((problem) => html`<p class="error" key=${problem}>${visible(problem, 300)}</p>`)}
    ${found.stopped && html`<p class="note">${visible(found.stopped === "stopped" ? "stopped by you" : `stopped: ${found.stopped}`, 220)}</p>`}
    ${found.log?.length > 0 && html`<h3>The backend's log at that moment</h3>${found.log.map((/** @type {any} */ line, /** @type {number} */ index) => html`<pre key=${index} tabindex="0"><bdi>${visibleLines(line.text.split("\n").slice(-12).join("\n").slice(-2000))}</bdi></pre>`)}`}
    <${Take} state=${state} />
  </div>`;
}

/** @param {{store: import("./store.js").Store, cure: string, proved: boolean}} props */
function Cure({ store, cure, proved }) {
  const filters = useStore(store, (state) => state.filters);
  const [said, setSaid] = useState("");
  const parts = cure.split(" + ");
  const on = parts.every((part) => filters.some((each) => each.on && each.filter === part));
  const add = async () => {
    for (const filter of parts) {
      const wrong = await changeFilters(store, "on", { filter });
      if (wrong) return setSaid(wrong);
    }
    setSaid("");
  };
  return html`<p class="cure"><span>${proved ? "Stays open with" : "Stayed open with"}</span> <code class="command"><bdi>${visible(cure, 300)}</bdi></code><${CopyButton} text=${cure} what="the filter" />
    ${on ? html`<span class="chip proxy">on</span>` : html`<button onClick=${add}>Switch on</button>`} ${said && html`<span class="error" role="alert">${said}</span>`}</p>`;
}

/** What can be taken along. @param {{state: Bisect}} props */
function Take({ state }) {
  const [said, setSaid] = useState("");
  const kept = useRef(/** @type {any} */ (null));
  const copy = async () => {
    setSaid((await copied(state.markdown ?? "", kept.current)) ? "copied" : "copying failed: use the text below");
  };
  return html`<div class="take" ref=${kept}>
      <button onClick=${copy} disabled=${!state.markdown}>Copy Markdown</button>
      ${state.downloads.map((name) => html`<a class="button" key=${name} href=${apiUrl(`bisect/${name}`)} download>${DOWNLOADS[name] ?? name}</a>`)}
      <a class="button" href=${apiUrl("export", { format: "html" })} download>Report</a>
      <a class="button" href=${apiUrl("export", { format: "jsonl" })} download>Recording</a>
      <a class="button" href=${apiUrl("export", { format: "har" })} download>HAR</a>
      <span class="note" role="status">${said}</span>
    </div>
    <p class="note">What you copy or download here has placeholders instead of secrets.${state.folder && html` The original files, which are for this machine only, are in <code><bdi>${visible(state.folder, 300)}</bdi></code>.`}</p>
    ${said.startsWith("copying failed") && html`<textarea class="mono" readonly rows="8" aria-label="The verdict in Markdown" value=${state.markdown}></textarea>`}`;
}

/** @param {{found: Record<string, string>}} props */
function RuledOut({ found }) {
  const entries = Object.entries(found);
  return html`<details>
    <summary>Ruled out: ${entries.length}</summary>
    <dl class="ruled-out">${entries.map(([name, why]) => html`<dt key=${name}><code>${visible(name, 80)}</code></dt><dd class="dim">${visible(why, 200)}</dd>`)}</dl>
  </details>`;
}

/** @param {{store: import("./store.js").Store, trials: Trial[]}} props */
function Trials({ store, trials }) {
  return html`<details class="trials">
    <summary>Trials: ${trials.length}</summary>
    <ol reversed>
      ${[...trials].reverse().slice(0, 200).map(
        (trial) => html`<li key=${trial.number} value=${trial.number}>
          <span class=${`outcome ${trial.outcome}`}>${told(trial.outcome)}</span> ${trial.arm}
          ${trial.lifetime !== null && html` <span class="dim">${duration(trial.lifetime)}</span>`}
          ${trial.conn !== null && html` <${Conn} store=${store} conn=${trial.conn} />`}
          <div class="dim"><bdi>${visible(trial.sentence, 300)}</bdi></div>
        </li>`,
      )}
    </ol>
  </details>`;
}
