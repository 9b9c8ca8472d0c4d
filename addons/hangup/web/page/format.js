// Numbers, times and foreign text in words for people.

/**
 * `0.3 ms`, `12 ms`, `4.02 s`, `2 min 5 s`, `3 h 12 min`: as the command line says it.
 * @param {number | null | undefined} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "?";
  if (seconds < -0.00005) return `−${duration(-seconds)}`;
  if (seconds < 0) return "0 ms";
  if (seconds < 0.9995) {
    const ms = seconds * 1000;
    return ms >= 9.95 || ms < 0.05 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
  }
  if (seconds < 59.95) return seconds < 9.995 ? `${seconds.toFixed(2)} s` : `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return pair(whole, 60, "min", 1, "s");
  return whole < 86400 ? pair(whole, 3600, "h", 60, "min") : pair(whole, 86400, "d", 3600, "h");
}

/**
 * The same with its milliseconds, however long: `2 min 5.123 s`.
 * @param {number} seconds
 */
export function precise(seconds) {
  if (Math.abs(seconds) < 59.95) return duration(seconds);
  const sign = seconds < 0 ? "−" : "";
  const ms = Math.round(Math.abs(seconds) * 1000);
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  return `${sign}${hours ? `${hours} h ` : ""}${minutes} min ${((ms % 60_000) / 1000).toFixed(3)} s`;
}

/** @param {number} whole @param {number} big @param {string} bigName @param {number} small @param {string} smallName */
function pair(whole, big, bigName, small, smallName) {
  const rest = Math.floor((whole % big) / small);
  const first = `${Math.floor(whole / big)} ${bigName}`;
  return rest ? `${first} ${rest} ${smallName}` : first;
}

/**
 * A moment of the recording, with as many decimals as `step` (seconds between two that must differ) needs.
 * @param {number} at
 * @param {number} [step]
 */
export function clock(at, step = 0.001) {
  const decimals = Math.min(6, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
  const sign = at < 0 ? "−" : "";
  const units = 10 ** decimals;
  const rounded = Math.round(Math.abs(at) * units) / units;
  if (rounded < 60) return `${sign}${rounded.toFixed(decimals)}`;
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60];
  const seconds = (rounded % 60).toFixed(decimals).padStart(decimals ? decimals + 3 : 2, "0");
  return hours ? `${sign}${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${sign}${minutes}:${seconds}`;
}

/**
 * `15 B`, `1.5 KiB`, `64 MiB`.
 * @param {number} count
 */
export function size(count) {
  if (Math.abs(count) < 1024) return `${count} B`;
  let value = count;
  for (const unit of ["KiB", "MiB", "GiB", "TiB"]) {
    value /= 1024;
    if (Math.abs(value) < 1024 || unit === "TiB") return `${value.toFixed(Math.abs(value) < 9.95 ? 1 : 0)} ${unit}`;
  }
  return "";
}

const grouped = new Intl.NumberFormat("en-US");

/** `12,345`. @param {number} count */
export const number = (count) => grouped.format(count);

/** `1 frame`, `2 frames`. @param {number} count @param {string} noun */
export const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

// What is not shown by a browser, or turns the direction of what follows: C0 and C1, bidirectional controls,
// zero-width characters, lone surrogates, tags, noncharacters.
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\uffff]|\p{Cs}|[\u{e0000}-\u{e0fff}]/gu;

/** @param {string} char */
function escaped(char) {
  const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
  if (short) return short;
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
}

/**
 * Foreign text on one line, with everything invisible in it spelled out.
 * @param {string | null | undefined} text
 * @param {number} [limit] characters, 0 for all
 */
export function visible(text, limit = 0) {
  if (!text) return "";
  const cut = limit && text.length > limit;
  const shown = (cut ? text.slice(0, limit - 1) : text).replace(HIDDEN, escaped);
  return cut ? `${shown}…` : shown;
}

/**
 * The same for text in several lines: line ends and tabs stay.
 * @param {string} text
 */
export function visibleLines(text) {
  return text.replace(HIDDEN, (char) => (char === "\n" || char === "\t" ? char : escaped(char)));
}

/** "a, b and c". @param {string[]} items */
export function listed(items) {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

/** @type {Record<string, string>} */
const HOWS = { close: "close", fin: "FIN", rst: "RST", timeout: "timeout", error: "error", none: "", open: "" };

/**
 * How a connection ended in two words: `server FIN`, `client 1000`, `HTTP 403`, `open`.
 * @param {import("./store.js").Connection} connection
 */
export function ending(connection) {
  if (connection.class === "open") return connection.opened === null ? "connecting" : "open";
  if (connection.class === "untold") return "not told";
  if (connection.class === "refused") return connection.status ? `HTTP ${connection.status}` : "no answer";
  const how = connection.how ?? "";
  const what = how === "close" && connection.code ? `${connection.code}` : HOWS[how] ?? how;
  return [connection.by, what].filter(Boolean).join(" ") || "ended";
}

/**
 * The account of its ending in a sentence; what is open is not judged while it goes on, or while the file is being read.
 * @param {import("./store.js").Connection} connection
 * @param {import("./store.js").State} state
 */
export function account(connection, { live, complete, indexed, size }) {
  if (connection.ended === null && live) return connection.opened === null ? "waiting for the handshake's answer" : "open";
  if (connection.ended === null && !complete && indexed < size) return "not read to its end yet";
  return connection.sentence || ending(connection);
}

/**
 * When it ended, or what is known of it does; now, when it is open.
 * @param {import("./store.js").Connection} connection
 * @param {number} now
 */
export function until(connection, now) {
  return connection.ended ?? connection.until ?? now;
}

/** How long it lived in seconds; null when it never opened. @param {import("./store.js").Connection} c @param {number} now */
export function lifetime(c, now) {
  return c.opened === null ? null : Math.max(0, until(c, now) - c.opened);
}

/** The words before its lifetime. @param {import("./store.js").Connection} connection */
export function living(connection) {
  return connection.class === "open" ? "open for" : connection.class === "untold" ? "seen for" : "was open for";
}
