// One WebSocket of the page's own: opened, spoken to, and watched until it is over.

/**
 * @typedef {object} Plan
 * @property {string} url
 * @property {string[]} protocols
 * @property {string[]} messages  sent once it is open; `hex:c000` is binary
 * @property {string | null} beat  the heartbeat, or null for none
 * @property {number} every  seconds between two heartbeats
 * @property {number} hold  seconds after which the page closes what is still open
 * @property {number} [patience]  seconds that the handshake may take
 *
 * @typedef {object} Outcome  Times are in seconds from the start.
 * @property {string} url
 * @property {number | null} opened
 * @property {number} ended
 * @property {number | null} code  null when it was never begun
 * @property {string} reason
 * @property {boolean} clean
 * @property {boolean} held  whether it was the page that closed, having held so long
 * @property {boolean} stopped  whether it was a person
 * @property {boolean} late  whether the page gave up waiting for the handshake's answer
 * @property {string} protocol  that was agreed on
 * @property {number} sent
 * @property {number} received
 * @property {string} error  why it was never begun
 *
 * @typedef {"note" | "open" | "sent" | "received" | "error" | "close"} What
 * @typedef {(what: What, text: string, at: number) => void} Say  `at` is in seconds from the start
 */

const SHOWN = 500;
/** Seconds: a browser itself would wait for minutes. */
const PATIENCE = 30;

/**
 * @param {Plan} plan
 * @param {Say} say
 * @param {AbortSignal} signal  ends it
 * @returns {Promise<Outcome>}
 */
export function attempt(plan, say, signal) {
  const begun = performance.now();
  const now = () => (performance.now() - begun) / 1000;
  /** @type {Outcome} */
  const outcome = {
    url: plan.url, opened: null, ended: 0, code: null, reason: "", clean: false, held: false, stopped: false,
    late: false, protocol: "", sent: 0, received: 0, error: "",
  };
  return new Promise((resolve) => {
    /** @type {WebSocket} */
    let socket;
    try {
      socket = plan.protocols.length ? new WebSocket(plan.url, plan.protocols) : new WebSocket(plan.url);
    } catch (error) {
      outcome.error = error instanceof Error ? error.message : String(error);
      say("error", outcome.error, 0);
      resolve(outcome);
      return;
    }
    socket.binaryType = "arraybuffer";
    /** @type {any[]} */
    const timers = [];
    /** @param {string} text */
    const send = (text) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(payload(text));
      outcome.sent++;
      say("sent", text === "" ? "(an empty message)" : text.slice(0, SHOWN), now());
    };
    const stop = () => {
      outcome.stopped = true;
      // While it is connecting this fails it, which the browser reports as 1006.
      socket.close();
    };
    const forbidden = (/** @type {SecurityPolicyViolationEvent} */ event) => {
      if (!event.blockedURI.startsWith(new URL(plan.url).origin)) return;
      outcome.error = "this page's policy allows it to connect only to the proxy and the target";
      over(); // in Chromium no close event follows
    };
    const over = () => {
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      document.removeEventListener("securitypolicyviolation", forbidden);
      outcome.ended = now();
      resolve(outcome);
    };
    const { patience = PATIENCE } = plan;
    const giveUp = () => {
      if (socket.readyState !== WebSocket.CONNECTING) return;
      outcome.late = true;
      socket.close();
    };
    timers.push(setTimeout(giveUp, patience * 1000));
    signal.addEventListener("abort", stop);
    document.addEventListener("securitypolicyviolation", forbidden);
    socket.onopen = () => {
      outcome.opened = now();
      outcome.protocol = socket.protocol;
      say("open", socket.protocol ? `subprotocol ${socket.protocol}` : "", outcome.opened);
      plan.messages.forEach(send);
      const { beat } = plan;
      if (beat !== null) timers.push(setInterval(() => send(beat), plan.every * 1000));
      timers.push(setTimeout(() => ((outcome.held = true), socket.close(1000)), plan.hold * 1000));
    };
    socket.onmessage = (message) => {
      outcome.received++;
      say("received", shown(message.data), now());
    };
    socket.onerror = () => say("error", outcome.opened === null ? "it did not open; browsers do not say why" : "the browser says nothing more", now());
    socket.onclose = (closed) => {
      if (outcome.error) return;
      Object.assign(outcome, { code: closed.code, reason: closed.reason, clean: closed.wasClean });
      const reason = closed.reason ? ` “${closed.reason}”` : "";
      say("close", `code ${closed.code}${reason}, wasClean ${closed.wasClean}`, now());
      over();
    };
    if (signal.aborted) stop();
  });
}

/** @param {string} text @returns {string | Uint8Array<ArrayBuffer>} */
function payload(text) {
  const digits = /^hex:((?:[0-9a-f]{2})*)$/i.exec(text)?.[1];
  if (digits === undefined) return text;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** @param {string | ArrayBuffer} data */
function shown(data) {
  if (typeof data === "string") return data === "" ? "(an empty message)" : data.slice(0, SHOWN);
  const bytes = [...new Uint8Array(data, 0, Math.min(data.byteLength, 64))].map((byte) => byte.toString(16).padStart(2, "0"));
  return `hex:${bytes.join("")}${data.byteLength > 64 ? `… (${data.byteLength} bytes)` : ""}`;
}

/** Seconds from opening to the end; null when it never opened. @param {Outcome} outcome */
export const lived = (outcome) => (outcome.opened === null ? null : outcome.ended - outcome.opened);

/**
 * What the page can say of it, in one line.
 * @param {Outcome} outcome
 * @param {(seconds: number) => string} words
 */
export function account(outcome, words) {
  if (outcome.code === null) return outcome.error;
  const life = lived(outcome);
  const reason = outcome.reason ? ` “${outcome.reason}”` : "";
  const how = `${outcome.code}${reason}, ${outcome.clean ? "clean" : "not clean"}`;
  if (outcome.late) return `no response to the handshake for ${words(outcome.ended)}: the page gave up`;
  if (life === null) return `${how}; it did not open (${words(outcome.ended)})`;
  if (outcome.held) return `it stayed open for ${words(life)}, then the page closed it (${how})`;
  if (outcome.stopped) return `stopped by you after ${words(life)} (${how})`;
  return `${how}, after ${words(life)}`;
}
