// JSON laid out in lines, from its text and not from its values: numbers, order and repeated names stay as they were.

/** @typedef {[kind: string, text: string][]} Line  kinds: key, string, number, word, mark, indent */

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|(true|false|null)|([{}[\],:]))/sy;
const INDENT = "  ";

/**
 * The lines of a JSON text, or null when it is none (or nothing but a number or a word, which needs no layout).
 * @param {string} text
 * @returns {Line[] | null}
 */
export function jsonLines(text) {
  if (!/^\s*[{["]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  /** @type {Line[]} */
  const lines = [];
  /** @type {Line} */
  let line = [];
  let depth = 0;
  const end = () => {
    lines.push(line);
    line = depth ? [["indent", INDENT.repeat(Math.min(depth, 60))]] : [];
  };
  TOKEN.lastIndex = 0;
  const tokens = [];
  for (let found = TOKEN.exec(text); found; found = TOKEN.exec(text)) tokens.push(found);
  for (let index = 0; index < tokens.length; index++) {
    const [, string, number, word, mark] = tokens[index];
    const next = tokens[index + 1]?.[4];
    if (string !== undefined) line.push([next === ":" ? "key" : "string", string]);
    else if (number !== undefined) line.push(["number", number]);
    else if (word !== undefined) line.push(["word", word]);
    else if (mark === "{" || mark === "[") {
      if (next === "}" || next === "]") {
        line.push(["mark", mark + next]);
        index++;
        continue;
      }
      line.push(["mark", mark]);
      depth++;
      end();
    } else if (mark === "}" || mark === "]") {
      depth--;
      end();
      line.push(["mark", mark]);
    } else if (mark === ",") {
      line.push(["mark", ","]);
      end();
    } else line.push(["mark", ": "]);
  }
  lines.push(line);
  return lines;
}

/**
 * Bytes as lines of an offset, their hexadecimal digits, and what is printable of them in ASCII.
 * @param {Uint8Array} bytes
 * @param {number} most bytes
 */
export function hexLines(bytes, most) {
  const lines = [];
  for (let start = 0; start < Math.min(bytes.length, most); start += 16) {
    const row = [...bytes.subarray(start, start + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0"));
    const digits = `${hex.slice(0, 8).join(" ").padEnd(23)}  ${hex.slice(8).join(" ").padEnd(23)}`;
    const ascii = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push([start.toString(16).padStart(8, "0"), digits, ascii]);
  }
  return lines;
}

/** @param {string} base64 */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
