// The same as shape.py, for the Node programs: what an application's traffic looks like, apart from its fault.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const vocabulary = JSON.parse(readFileSync(new URL("./vocabulary.json", import.meta.url), "utf8"));

export function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}

export const fixed = process.argv.includes("--fixed") || process.env.FIXED === "1";
export const shape = { ...vocabulary.defaults, ...JSON.parse(option("shape", process.env.FAULT_SHAPE || "{}")) };
export const words = vocabulary.themes[shape.theme];
export const route = shape.path.split("?")[0];

export function clientId(target) {
  const url = new URL(target, "ws://localhost");
  const at = route.split("/").indexOf("{client_id}");
  return at < 0 ? url.searchParams.get("client_id") : url.pathname.split("/")[at];
}

export function target(id = shape.client_id) {
  return shape.path.replace("{client_id}", id);
}

export function wrap(kind, fields = {}) {
  return shape.nest ? { [shape.key]: kind, [shape.nest]: fields } : { [shape.key]: kind, ...fields };
}

export function unwrap(message) {
  const { [shape.key]: kind, ...flat } = message;
  return [kind, shape.nest ? message[shape.nest] ?? {} : flat];
}

export const ping = () => wrap(shape.ping_kind, { ts: "$now" });
export const pong = () => wrap(vocabulary.pongs[shape.ping_kind], { ts: "$now" });
export const say = (what) => wrap(...words[what]);

export function answers(message) {
  const [kind, fields] = unwrap(message);
  if (kind === words.hello[0]) return [say("welcome")];
  if (kind === shape.ping_kind) return [pong()];
  if (fields?.id !== undefined) {
    const [ack, rest] = words.ack;
    return [wrap(ack, { ...rest, id: fields.id })];
  }
  return [];
}

export function random(seed) {
  let a = (seed * 2654435761 + 1013904223) >>> 0; // mulberry32
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function filler(seed = shape.seed) {
  const next = random(seed);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const text = (count) => Array.from({ length: count }, () => pick(vocabulary.words)).join(" ");
  let count = 0;
  return function fill(value) {
    if (Array.isArray(value)) return value.map(fill);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fill(v)]));
    }
    if (typeof value !== "string" || !value.startsWith("$")) return value;
    const [name, size] = value.slice(1).split(":");
    switch (name) {
      case "id": return Math.floor(next() * 2 ** 32).toString(16).padStart(8, "0");
      case "n": return ++count;
      case "now": return Date.now();
      case "name": return pick(vocabulary.names);
      case "price": return Math.round(1000 + next() * 19000) / 100;
      case "words": return text(3 + Math.floor(next() * 6));
      case "text": return text(Number(size)).slice(0, Number(size));
      default: return value;
    }
  };
}

export function report(line) {
  console.log(JSON.stringify(line));
}

// The packages live in tests/node, beside this folder rather than above it.
export const require = createRequire(new URL("../node/package.json", import.meta.url));
