// Questions to the server: JSON in and out, and never more than one of a kind under way.

const API = new URL("../api/", import.meta.url);

/** What the server answered instead: its `message` is one line for people. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} [status] HTTP's, or 0 when there was no answer
   */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path below `api/`
 * @param {Record<string, unknown>} [params] those that are null, undefined or "" are left out
 */
export function apiUrl(path, params = {}) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** @typedef {(path: string, params: Record<string, any>) => Promise<any>} Source  Rejects with an `ApiError`. */

/** Who answers instead of a server. @type {Source | null} */
let source = null;

/** From now on answers come from there. @param {Source} given */
export function answerFrom(given) {
  source = given;
}

/**
 * @param {string} path
 * @param {Record<string, unknown>} [params]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export function getJson(path, params, signal) {
  return source ? source(path, params ?? {}) : ask(apiUrl(path, params), { signal });
}

/**
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<any>}
 */
export function postJson(path, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(apiUrl(path), { method: "POST", headers, body: JSON.stringify(body) });
}

/**
 * @param {string} url
 * @param {RequestInit} options
 */
async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError("hangup does not answer: is it still running?");
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new ApiError(`the response is not JSON (HTTP ${response.status})`, response.status);
  }
  if (!response.ok) throw new ApiError(answer?.error ?? `HTTP ${response.status}`, response.status);
  return answer;
}

/**
 * One kind of question: while one is under way, only the latest of those that follow is remembered, and asked next.
 * @template {any[]} Args
 */
export class Latest {
  /**
   * @param {(...args: Args) => Promise<void>} work
   * @param {number} [pause] milliseconds between two starts, at least
   */
  constructor(work, pause = 0) {
    this.work = work;
    this.pause = pause;
    this.busy = false;
    /** @type {Args | null} */
    this.wanted = null;
    this.closed = false;
  }

  /** @param {Args} args */
  ask(...args) {
    this.wanted = args;
    if (!this.busy) void this.run();
  }

  /** Forgets what is wanted; what is under way ends unheard. */
  close() {
    this.closed = true;
    this.wanted = null;
  }

  async run() {
    this.busy = true;
    while (this.wanted && !this.closed) {
      const args = this.wanted;
      this.wanted = null;
      const begun = performance.now();
      try {
        await this.work(...args);
      } catch (error) {
        if (!(error instanceof ApiError)) console.error(error);
      }
      const rest = this.pause - (performance.now() - begun);
      if (rest > 0) await new Promise((done) => setTimeout(done, rest));
    }
    this.busy = false;
  }
}
