// Plays a script (see lab/script.py) towards one peer, on npm ws. Only verbs and tests that Node programs are given are here.
import { randomBytes } from "node:crypto";

const WORDS = "amber basin cedar delta ember fjord grove haven inlet jade knoll lumen maple north ocean pier quartz ridge".split(" ");

export class Return extends Error {}

export function random(seed) {
  let state = 1779033703 ^ String(seed).length;
  for (const char of String(seed)) state = Math.imul(state ^ char.charCodeAt(0), 3432918353) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const now = () => performance.now() / 1000;
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, Math.max(0, seconds * 1000)));

export class World {
  constructor(seed) {
    Object.assign(this, { conversations: [], registry: new Map(), flags: {}, opened: 0, asked: 0, random: random(`world ${seed}`) });
  }
}

export class Conversation {
  constructor(script, ws, world, { number = 1, known = {}, identity = "", fail = (error) => { throw error; } } = {}) {
    Object.assign(this, { script, ws, world, number, known, identity, fail });
    this.random = random(`conversation ${script.seed} ${number} ${identity}`);
    Object.assign(this, { n: Math.floor(this.random() * 50), flags: {}, count: 0, volume: 0, sent: 0, times: [], over: false, heard: [] });
  }

  async opened() {
    this.world.opened++;
    this.at = now();
    this.world.conversations.push(this);
    for (const timer of this.script.timers ?? []) this.beside(this.timer(timer));
    (this.script.deadlines ?? []).forEach((deadline, n) => {
      this.heard[n] = this.at;
      this.beside(this.deadline(n, deadline));
    });
    await this.steps(this.script.open ?? []);
  }

  async received(data, binary) {
    if (this.flags.deaf) return;
    this.message = data;
    this.binary = binary;
    this.count++;
    this.volume += data.length;
    this.times.push(now());
    const text = binary ? data.toString("latin1") : data.toString("utf8");
    if (this.script.reader === "json") JSON.parse(binary ? data.toString("utf8") : text);
    if (this.script.reader === "text" && binary) throw new TypeError("text expected");
    if (this.script.reader === "bytes" && !binary) throw new TypeError("bytes expected");
    (this.script.deadlines ?? []).forEach((deadline, n) => {
      if (this.holds(deadline.for ?? {}, text)) this.heard[n] = deadline.once ? Infinity : now();
    });
    for (const rule of this.script.on ?? []) {
      if (!this.holds(rule.if ?? {}, text)) continue;
      if (rule.beside) this.beside(this.steps(rule.do));
      else await this.steps(rule.do);
      if (!rule.go_on) break;
    }
    this.previous = data;
  }

  async closed() {
    if (this.over) return;
    this.over = true;
    if (!this.script.forgetful) this.world.conversations = this.world.conversations.filter((other) => other !== this);
    try { await this.steps(this.script.gone ?? []); } catch {}
  }

  beside(work) {
    work.catch((error) => { if (!this.over) this.fail(error); });
  }

  jittered(seconds, jitter) {
    return seconds * (1 - (jitter ?? 0) + 2 * (jitter ?? 0) * this.random());
  }

  async timer(timer) {
    const jitter = timer.jitter ?? 0.15;
    await pause(this.jittered(timer.first, jitter));
    for (let n = 0; n < ("every" in timer ? timer.times ?? Infinity : 1) && !this.over; n++) {
      if (!timer.if || this.holds(timer.if, "")) await this.steps(timer.do);
      if ("every" in timer) await pause(this.jittered(timer.every, jitter));
    }
  }

  async deadline(n, { within, armed, do: steps }) {
    for (;;) {
      let since = this.heard[n];
      if (armed) since = Math.max(since, this.flags[armed] ?? Infinity);
      const left = Math.min(since + within - now(), within);
      if (this.over) return;
      if (left <= 0) break;
      await pause(armed ? Math.min(left, 0.05) : left);
    }
    await this.steps(steps);
  }

  holds(condition, text) {
    return Object.entries(condition).every(([name, value]) => TESTS[name](this, value, text));
  }

  async steps(steps) {
    for (const [verb, ...rest] of steps) await this["do_" + verb](...rest);
  }

  value(name) {
    const known = { ...this.world.flags, ...this.known, ...this.flags };
    if (name in known) return known[name];
    switch (name) {
      case "id": return Math.floor(this.random() * 2 ** 48).toString(16).padStart(12, "0");
      case "n": return ++this.n;
      case "t": return Date.now();
      case "f": return Math.round(this.random() * 90000) / 100;
      case "w": return Array.from({ length: 1 + Math.floor(this.random() * 6) }, () => this.word()).join(" ");
      case "name": return this.word() + Math.floor(this.random() * 99);
    }
    return "";
  }

  word() { return WORDS[Math.floor(this.random() * WORDS.length)]; }

  fill(text) {
    return text.replace(/"«#(\w+)»"/g, (_, name) => this.value(name)).replace(/«(\w+)»/g, (_, name) => this.value(name));
  }

  render(message) {
    if ("hex" in message) {
      const data = Buffer.from(message.hex, "hex");
      const at = data.indexOf(Buffer.from("fefefefe", "hex"));
      if (at >= 0) randomBytes(4).copy(data, at);
      return Buffer.concat([data, randomBytes(message.more ?? 0)]);
    }
    let text = this.fill(message.text);
    if ("pad" in message) {
      let pad = "";
      while (pad.length < message.pad) pad += this.word();
      text = text.replace("§", pad.slice(0, message.pad));
    }
    return message.encoding ? Buffer.from(text, message.encoding.startsWith("utf-16") ? "utf16le" : "latin1") : text;
  }

  transmit(data) {
    this.sent += data.length;
    if (this.ws.readyState === 1) this.ws.send(data, { binary: typeof data !== "string" });
  }

  async do_send(message) { if (!this.over) this.transmit(this.render(message)); }
  async do_burst(message, count) { for (let n = 0; n < count; n++) await this.do_send(message); }
  async do_ping(text = "") { if (this.ws.readyState === 1) this.ws.ping(text); }
  async do_raw(hex) { this.ws._socket?.write(Buffer.from(hex, "hex")); }
  async do_frame(first, payload) {
    const data = Buffer.from(payload, "hex");
    const length = data.length < 126 ? Buffer.from([data.length]) : Buffer.from([126, data.length >> 8, data.length & 255]);
    const mask = this.ws._isServer ? Buffer.alloc(0) : randomBytes(4);
    if (!this.ws._isServer) { length[0] |= 128; for (let n = 0; n < data.length; n++) data[n] ^= mask[n % 4]; }
    this.ws._socket?.write(Buffer.concat([Buffer.from([first]), length, mask, data]));
  }
  async do_sleep(seconds, jitter = 0.1) { await pause(this.jittered(seconds, jitter)); }
  async do_block(seconds) { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000); }
  async do_close(code = 1000, reason = "") {
    if (!this.ws._isServer) setTimeout(() => this.ws.terminate(), 1000); // as clients do that do not wait for an answer
    if (code === 1005) this.ws.close(); else this.ws.close(code, reason);
  }
  async do_abort() { this.ws._socket?.resetAndDestroy(); }
  async do_fin() { this.ws.terminate(); }
  async do_deaf() { this.flags.deaf = true; this.ws._socket?.pause(); }
  async do_return() { throw new Return(); }
  async do_raise(name, text = "") { throw new (name === "TypeError" ? TypeError : Error)(text || name); }
  async do_log(text) { console.error(this.fill(text)); }
  async do_exit(code = 1) { process.exit(code < 0 ? 0 : code); }
  async do_broadcast(message, everybody = true) {
    for (const other of this.world.conversations) if (everybody || other !== this) other.transmit(this.render(message));
  }
  async do_everybody(steps, others = false) {
    for (const other of [...this.world.conversations]) if (!others || other !== this) other.beside(other.steps(steps));
  }
  async do_same(steps) {
    const other = this.world.registry.get(this.identity);
    if (other && other !== this && !other.over) other.beside(other.steps(steps));
  }
  async do_register() { this.world.registry.set(this.identity, this); }
  async do_unregister() { this.world.registry.delete(this.identity); }
  async do_set(name, value) { this.flags[name] = value ?? now(); }
  async do_unset(name) { delete this.flags[name]; }
  async do_keep(name, value) { this.world.flags[name] = typeof value === "string" ? this.fill(value) : value ?? true; }
  async do_forget(name) { delete this.world.flags[name]; }
  async do_remember(name, pattern) {
    const found = new RegExp(pattern, "s").exec(this.message.toString());
    if (found) this.world.flags[name] = found[1];
  }
  async do_when(condition, steps, otherwise = []) {
    await this.steps(this.holds(condition, this.message?.toString() ?? "") ? steps : otherwise);
  }
  async do_after(seconds, steps) { this.beside(pause(seconds).then(() => this.over || this.steps(steps))); }
  async do_forever() { await new Promise(() => {}); }
  async do_echo() { this.transmit(this.binary ? this.message : this.message.toString()); }
}

const isJson = (text) => { try { JSON.parse(text); return true; } catch { return false; } };
const gap = (c) => (c.times.length > 1 ? c.times.at(-1) - c.times.at(-2) : undefined);
const TESTS = {
  re: (c, value, text) => new RegExp(value, "s").test(text),
  not: (c, value, text) => !c.holds(value, text),
  any: (c, value, text) => value.some((one) => c.holds(one, text)),
  binary: (c, value) => c.binary === value,
  longer: (c, value, text) => Buffer.byteLength(text) > value,
  json: (c, value, text) => isJson(text) === value,
  count: (c, value) => c.count >= value,
  volume: (c, value) => c.volume > value,
  sent: (c, value) => c.sent > value,
  rate: (c, [count, window]) => c.times.filter((at) => now() - at <= window).length > count,
  again: (c, value) => (c.previous !== undefined && Buffer.compare(Buffer.from(c.previous), Buffer.from(c.message)) === 0) === value,
  flag: (c, value) => value in c.flags || value in c.world.flags,
  no_flag: (c, value) => !(value in c.flags) && !(value in c.world.flags),
  chance: (c, value) => c.random() < value,
  company: (c, value) => c.world.conversations.filter((other) => !other.over).length > value,
  alone: (c, value) => (c.world.conversations.filter((other) => !other.over).length <= 1) === value,
  every: (c, value) => c.world.opened % value === 0,
  first: (c, value) => (c.number === 1) === value,
  older: (c, value) => now() - c.at > value,
  gap: (c, value) => gap(c) > value,
  hurry: (c, value) => gap(c) < value,
  registered: (c, value) => (c.world.registry.get(c.identity) === c) === value,
  taken: (c, value) => c.world.registry.has(c.identity) === value,
  same: (c, [name, value]) => String(c.known[name] ?? c.world.flags[name]) === value,
};

export const option = (name) => process.argv[process.argv.indexOf("--" + name) + 1];
