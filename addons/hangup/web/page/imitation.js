// What a test must say to be like one of the application's own connections, as the fields of the form.

/**
 * @typedef {object} Imitation  An answer of `api/imitate`.
 * @property {number} conn
 * @property {string} path
 * @property {string} protocols
 * @property {string[]} messages
 * @property {string | null} beat
 * @property {number | null} every
 */

/**
 * @param {Imitation} imitation
 * @returns {Partial<import("./testrun.js").Form>}
 */
export function fieldsOf({ path, protocols, messages, beat, every }) {
  const said = { path, protocols, messages: messages.join("\n") };
  return beat === null ? { ...said, beat: "none" } : { ...said, ...beatOf(beat), every: `${every ?? 1}` };
}

/** @param {string} beat @returns {Partial<import("./testrun.js").Form>} */
function beatOf(beat) {
  if (beat === "ping") return { beat: "text" };
  if (beat === "") return { beat: "empty" };
  if (beat === "2") return { beat: "engine.io" };
  const [key, word] = pairOf(beat) ?? [];
  if (key !== undefined && word !== undefined) return { beat: "json", key, word };
  return { beat: "custom", custom: beat };
}

/** The only name and value of an object, where writing them gives the same text. @param {string} text */
function pairOf(text) {
  try {
    const [[key, word], ...more] = Object.entries(JSON.parse(text));
    return more.length === 0 && typeof word === "string" && JSON.stringify({ [key]: word }) === text ? [key, word] : null;
  } catch {
    return null;
  }
}
