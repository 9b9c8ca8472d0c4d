// A handshake: what was checked, and both header lists side by side.

import { CopyButton } from "./copy.js";
import { duration, plural, visible } from "./format.js";
import { html } from "./vendor/preact-htm.js";

/** @typedef {[string, string][]} Headers */

/** The headers that a handshake is about. */
const OURS = /^(upgrade|connection|sec-websocket-.*|origin|host|cookie|authorization|location)$/i;

/** @param {{detail: any}} props an answer of `api/connection` */
export function HandshakeView({ detail }) {
  const event = detail.handshake;
  if (!event) return html`<p class="note pane">The handshake is not in this recording.</p>`;
  const { request, response, original, returned, error } = event;
  const checks = event.checks ?? [];
  const failed = checks.filter((/** @type {any} */ check) => !check.ok);
  return html`<div class="pane handshake" tabindex="0" role="region" aria-label="Handshake">
    <p class="dim">
      <bdi>${visible(event.client)}</bdi> → <bdi>${visible(event.server)}</bdi>
      ${response ? html`, answered after ${duration(event.waited ?? 0)}` : ""}
      ${event.by ? html`, by ${visible(event.by, 120)}` : ""}
    </p>
    ${error && html`<p class="error">${visible(error)}</p>`}
    <ul class="checks" aria-label="Checks">
      ${[...failed, ...checks.filter((/** @type {any} */ check) => check.ok)].map(
        (/** @type {any} */ check) => html`<li key=${check.name} class=${check.ok ? "passed" : "failed"}>
          <span aria-label=${check.ok ? "passed" : "failed"}>${check.ok ? "✓" : "✗"}</span> ${visible(check.text, 600)}
        </li>`,
      )}
    </ul>
    <div class="sides">
      <${Half} title=${original ? "Request, as the client sent it" : "Request"} head=${requestLine(original ?? request)}
        headers=${(original ?? request).headers} more=${(original ?? request).headers_left_out} other=${original ? request.headers : null} />
      ${original && html`<${Half} title="Request, as the server received it" head=${requestLine(request)} headers=${request.headers} more=${request.headers_left_out} other=${original.headers} />`}
      ${response
        ? html`<${Half} title=${returned ? "Response, as the server sent it" : "Response"} head=${statusLine(response)}
            headers=${response.headers} more=${response.headers_left_out} other=${returned ? returned.headers : null} text=${response.text} cut=${response.cut} />`
        : html`<section class="half"><h3>Response</h3><p class="note">There was none.</p></section>`}
      ${returned && html`<${Half} title="Response, as the client received it" head=${statusLine(returned)} headers=${returned.headers} more=${returned.headers_left_out} other=${response?.headers ?? null} text=${returned.text} cut=${returned.cut} />`}
    </div>
  </div>`;
}

/** @param {any} request */
const requestLine = (request) => `${request.method ?? "GET"} ${request.target ?? "/"} ${request.version ?? "HTTP/1.1"}`;

/** @param {any} response */
const statusLine = (response) => `${response.version ?? "HTTP/1.1"} ${response.status} ${response.reason ?? ""}`;

/**
 * One header list; those that are not in `other` are marked, as a filter changed them.
 * @param {{title: string, head: string, headers?: Headers, more?: number, other?: Headers | null, text?: string, cut?: boolean}} props
 *   `more`: how many headers are left out of a report.
 */
function Half({ title, head, headers = [], more = 0, other = null, text = "", cut = false }) {
  const known = other && new Set(other.map(([name, value]) => `${name}: ${value}`));
  return html`<section class="half" aria-label=${title}>
    <h3>${title} <${CopyButton} what="the headers" text=${() => [head, ...headers.map(([name, value]) => `${name}: ${value}`)].join("\n")} /></h3>
    <p class="mono first-line"><bdi>${visible(head, 4000)}</bdi></p>
    <table class="headers">
      <tbody>
        ${headers.map(
          ([name, value]) => html`<tr class=${[OURS.test(name) ? "ours" : "", known && !known.has(`${name}: ${value}`) ? "changed" : ""].join(" ")}>
            <th scope="row"><bdi>${visible(name, 200)}</bdi></th>
            <td><bdi>${visible(value, 8000)}</bdi></td>
          </tr>`,
        )}
      </tbody>
    </table>
    ${more > 0 && html`<p class="note">${plural(more, "more header")} left out of this report</p>`}
    ${text && html`<pre class="code"><bdi>${visible(text, 4000)}</bdi></pre>`}
    ${cut && html`<p class="note">The rest of the body is not shown.</p>`}
  </section>`;
}
