// Completion of a filter's text form, and the field in which one is written.

import { ApiError, getJson, Latest, postJson } from "./api.js";
import { visible } from "./format.js";
import { html, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";

/**
 * @typedef {object} Setting
 * @property {string} name
 * @property {string} value  what stands for a value: TIME, client|server
 * @property {boolean} required
 * @property {string | null} default
 * @property {string} help
 * @property {string[]} values  what it can be, or may well be
 * @property {boolean} shared  whether it only says which connections or messages are meant
 *
 * @typedef {{name: string, summary: string, help: string, example: string, positional: string[], settings: Setting[]}} Described
 * @typedef {{name: string, spoken: string, ping: string | null, pong: string | null}} Form
 * @typedef {{groups: {name: string, filters: Described[]}[], forms: Form[]}} Catalogue
 *
 * @typedef {{start: number, end: number, key: string, from: number}} Word  `from` is where its value begins.
 * @typedef {{text: string, value: string, detail: string}} Item  `value` is what stands for what is to be written behind it.
 * @typedef {{from: number, to: number, items: Item[], hint: string}} Completion
 */

/** @type {Promise<Catalogue> | null} */
let asked = null;

/** What filters there are; asked for once. @returns {Promise<Catalogue>} */
export function catalogue() {
  asked ??= getJson("filters/help").catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}

/** The catalogue as soon as it is there. @returns {Catalogue | null} */
export function useCatalogue() {
  const [found, setFound] = useState(/** @type {Catalogue | null} */ (null));
  useEffect(() => {
    catalogue().then(setFound, () => {});
  }, []);
  return found;
}

/** @param {Catalogue | null} known @param {string} text  a filter's text form @returns {Described | null} */
export function describedBy(known, text) {
  const name = text.trim().split(/\s/, 1)[0];
  return known?.groups.flatMap((group) => group.filters).find((each) => each.name === name) ?? null;
}

const KEY = /[a-z][a-z0-9-]*=/y;
const STRING = /"(?:[^"\\]|\\[^])*"/y;
const CLOSING = /** @type {Record<string, string>} */ ({ "{": "}", "[": "]" });

/**
 * The words of a line as the server splits it; what is not closed reaches to the end.
 * @param {string} text
 * @returns {Word[]}
 */
export function words(text) {
  /** @type {Word[]} */
  const found = [];
  let at = 0;
  for (;;) {
    while (at < text.length && /\s/.test(text[at])) at++;
    if (at >= text.length) return found;
    const start = at;
    KEY.lastIndex = at;
    const key = KEY.exec(text)?.[0] ?? "";
    const from = at + key.length;
    at = after(text, from);
    found.push({ start, end: at, key: key.slice(0, -1), from });
  }
}

/** Where the value ends that begins at `at`. @param {string} text @param {number} at */
function after(text, at) {
  if (text[at] === "'") {
    const close = text.indexOf("'", at + 1);
    return close < 0 ? text.length : close + 1;
  }
  const open = [];
  for (; at < text.length; at++) {
    const char = text[at];
    if (char === '"') {
      STRING.lastIndex = at;
      const string = STRING.exec(text)?.[0];
      if (!string) return text.length;
      at += string.length - 1;
    } else if (CLOSING[char]) open.push(CLOSING[char]);
    else if (open.length && char === open[open.length - 1]) open.pop();
    else if (/\s/.test(char) && !open.length) break;
  }
  return at;
}

/**
 * What may stand where the cursor is, and what is known of that place.
 * @param {Catalogue} known
 * @param {string} text
 * @param {number} cursor
 * @returns {Completion}
 */
export function complete(known, text, cursor) {
  const line = words(text);
  const word = line.find(({ start, end }) => start <= cursor && cursor <= end) ?? null;
  const index = word ? line.indexOf(word) : line.filter(({ end }) => end < cursor).length;
  const here = word ?? { start: cursor, end: cursor, key: "", from: cursor };
  if (index === 0) return names(known, text.slice(here.start, cursor), here);
  const filter = describedBy(known, text.slice(line[0].start, line[0].end));
  if (!filter) return { from: cursor, to: cursor, items: [], hint: "" };
  if (here.key && cursor >= here.from) {
    const setting = filter.settings.find((each) => each.name === here.key);
    return setting ? values(setting, text, here.from, here.end, cursor) : nothing(here);
  }
  const given = new Set(line.filter((each) => each !== word).map((each) => each.key));
  const bare = line.slice(1).filter((each) => each !== word && !each.key && each.start < here.start).length;
  const place = filter.positional.filter((name) => !given.has(name))[bare];
  return settings(filter, given, place, text.slice(here.start, cursor), here);
}

/** @param {Word} here @returns {Completion} */
const nothing = (here) => ({ from: here.start, to: here.end, items: [], hint: "" });

/** @param {Catalogue} known @param {string} typed @param {Word} here @returns {Completion} */
function names(known, typed, here) {
  const all = known.groups.flatMap((group) => group.filters);
  const begin = all.filter(({ name }) => name.startsWith(typed));
  const within = all.filter((each) => !begin.includes(each) && (each.name.includes(typed) || each.summary.toLowerCase().includes(typed)));
  const items = [...begin, ...within].map(({ name, summary }) => ({ text: name, value: "", detail: summary }));
  const exact = all.find(({ name }) => name === typed);
  return { from: here.start, to: here.end, items: exact && begin.length === 1 ? [] : items, hint: exact?.summary ?? "" };
}

/**
 * @param {Described} filter
 * @param {Set<string>} given
 * @param {string | undefined} place  the setting that a bare word here would be
 * @param {string} typed
 * @param {Word} here
 * @returns {Completion}
 */
function settings(filter, given, place, typed, here) {
  const left = filter.settings.filter(({ name }) => !given.has(name));
  const rank = (/** @type {Setting} */ { required, shared }) => (required ? 0 : shared ? 2 : 1);
  const items = left
    .filter(({ name }) => `${name}=`.startsWith(typed))
    .sort((one, other) => rank(one) - rank(other))
    .map((setting) => ({ text: `${setting.name}=`, value: placeholder(setting), detail: said(setting) }));
  const positional = left.find(({ name }) => name === place);
  const bare = (positional?.values ?? []).filter((value) => value.startsWith(typed) && value !== typed);
  return {
    from: here.start,
    to: here.end,
    items: [...bare.map((text) => ({ text, value: "", detail: positional?.help ?? "" })), ...items],
    hint: positional ? hint(positional) : "",
  };
}

/** @param {Setting} setting @param {string} text @param {number} from @param {number} to @param {number} cursor @returns {Completion} */
function values(setting, text, from, to, cursor) {
  const typed = text.slice(from, cursor);
  const comma = setting.value === "NAMES" ? typed.lastIndexOf(",") + 1 : 0;
  const part = typed.slice(comma);
  const items = setting.values
    .filter((value) => value.startsWith(part) && value !== part)
    .map((value) => ({ text: value, value: "", detail: "" }));
  return { from: from + comma, to, items, hint: hint(setting) };
}

/** @param {Setting} setting */
const placeholder = ({ value, values }) => (values.length > 4 ? "…" : value.toLowerCase());

/** @param {Setting} setting */
const said = ({ help, required, default: usual }) => `${help}${required ? " (needed)" : usual && usual !== "''" ? ` (else ${usual})` : ""}`;

/** @param {Setting} setting */
const hint = (setting) => `${setting.name}=${placeholder(setting)}: ${said(setting)}`;

/**
 * The line with a completion in it, and where the cursor is then.
 * @param {string} text
 * @param {Completion} completion
 * @param {Item} item
 * @returns {[string, number]}
 */
export function accepted(text, { from, to }, item) {
  const space = item.text.endsWith("=") || text[to] === " " ? "" : " ";
  const made = text.slice(0, from) + item.text + space;
  return [made + text.slice(to), made.length];
}

/** @typedef {{ok: boolean, filter?: string, error?: string, at?: number | null, to?: number | null}} Check */

const NONE = { ok: true };
let fields = 0;

/**
 * A field for one filter: completes names, settings and values, and says what is wrong where it is wrong.
 * @param {{
 *   value: string, change: (text: string) => void, submit: () => void, cancel?: () => void, label: string,
 *   placeholder?: string, focus?: boolean, refused?: string,
 * }} props  `refused` is what the server said when the filter was to be added
 */
export function FilterField({ value, change, submit, cancel, label, placeholder, focus, refused }) {
  const known = useCatalogue();
  const [id] = useState(() => `filter-field-${++fields}`);
  const input = useRef(/** @type {any} */ (null));
  const [cursor, setCursor] = useState(value.length);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [check, setCheck] = useState(/** @type {Check} */ (NONE));
  const checking = useMemo(() => new Latest(async (/** @type {string} */ text) => setCheck(await checked(text)), 150), []);
  useEffect(() => () => checking.close(), [checking]);
  useEffect(() => {
    if (value.trim()) checking.ask(value);
    else setCheck(NONE);
  }, [value]);
  useEffect(() => {
    if (focus) input.current?.focus();
  }, [focus]);
  const found = useMemo(() => (known ? complete(known, value, cursor) : null), [known, value, cursor]);
  const items = open && found ? found.items : [];
  const chosen = active < items.length ? active : -1;

  /** @param {Item} item */
  const accept = (item) => {
    if (!found) return;
    const [text, at] = accepted(value, found, item);
    // At once, and not by the next drawing: what is typed before that must go in behind it.
    const field = input.current;
    if (field) {
      field.value = text;
      field.focus();
      field.setSelectionRange(at, at);
    }
    change(text);
    setCursor(at);
    setActive(-1);
  };
  /** @param {any} event */
  const key = (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      const count = found?.items.length ?? 0;
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (count) setActive(((chosen < 0 && step < 0 ? 0 : chosen) + step + count) % count);
    } else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
      event.preventDefault();
      accept(items[chosen]);
    } else if (event.key === "Tab" && !event.shiftKey && items.length === 1) {
      event.preventDefault();
      accept(items[0]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      setOpen(false);
      submit();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (items.length) setOpen(false);
      else cancel?.();
    }
  };
  /** @param {any} event */
  const typed = (event) => {
    change(event.currentTarget.value);
    setCursor(event.currentTarget.selectionStart ?? event.currentTarget.value.length);
    setOpen(true);
    setActive(-1);
  };
  /** @param {any} event */
  const moved = (event) => setCursor(event.currentTarget.selectionStart ?? 0);

  const error = check.ok ? refused ?? "" : check.error ?? "";
  return html`<div class="filter-field">
    <input
      ref=${input} id=${id} class="mono" type="text" role="combobox" aria-label=${label} placeholder=${placeholder ?? ""}
      autocomplete="off" autocapitalize="off" spellcheck=${false}
      aria-autocomplete="list" aria-expanded=${items.length ? "true" : "false"} aria-controls=${`${id}-list`}
      aria-activedescendant=${chosen >= 0 ? `${id}-${chosen}` : undefined}
      aria-invalid=${error ? "true" : "false"} aria-describedby=${`${id}-said`}
      value=${value} onInput=${typed} onKeyDown=${key} onKeyUp=${moved} onClick=${(/** @type {any} */ event) => (moved(event), setOpen(true))}
      onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)}
    />
    <ul class="completions" id=${`${id}-list`} role="listbox" aria-label="Completions" hidden=${!items.length}>
      ${items.map(
        (item, index) => html`<li
          key=${item.text} id=${`${id}-${index}`} role="option" aria-selected=${index === chosen ? "true" : "false"}
          ref=${index === chosen ? (/** @type {any} */ row) => row?.scrollIntoView({ block: "nearest" }) : null}
          onMouseDown=${(/** @type {any} */ event) => (event.preventDefault(), accept(item))}
        ><code>${item.text}${item.value && html`<span class="dim">${item.value}</span>`}</code> ${item.detail && html`<div class="dim">${item.detail}</div>`}</li>`,
      )}
    </ul>
    <div class="said" id=${`${id}-said`} aria-live="polite">
      ${error
        ? html`<${Wrong} text=${value} check=${check} /> <span class="error">${visible(error, 500)}</span>`
        : html`<span class="dim">${found?.hint ?? ""}</span>`}
    </div>
  </div>`;
}

/** The text with the place marked that is wrong, if it is known. @param {{text: string, check: Check}} props */
function Wrong({ text, check }) {
  if (check.ok || check.at === null || check.at === undefined) return null;
  // Places are counted in characters, not in UTF-16's units.
  const chars = [...text];
  const part = (/** @type {number} */ from, /** @type {number | undefined} */ to) => visible(chars.slice(from, to).join(""));
  const to = check.to ?? check.at + 1;
  return html`<code class="wrong" aria-hidden="true">${part(0, check.at)}<mark>${part(check.at, to)}</mark>${part(to, undefined)}</code>`;
}

/** @param {string} text @returns {Promise<Check>} */
async function checked(text) {
  try {
    return await postJson("filters/check", { filter: text });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { ok: false, error: error.message, at: null };
  }
}
