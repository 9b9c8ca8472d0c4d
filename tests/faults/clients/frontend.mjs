// A reconnecting frontend that plays a scenario, on npm ws through the browser's WebSocket interface. See frontend.py.
import { filler, option, random, report, require } from "../shape.mjs";

const WebSocket = require("ws");
const base = option("url").replace(/\/$/, "");
const scenario = JSON.parse(option("scenario"));
if (option("delay")) scenario.delay = Number(option("delay"));

class Tab {
  constructor(socket, number) {
    Object.assign(this, { socket, number, conn: 0, delay: scenario.delay });
    this.random = random(scenario.seed * 100 + number);
    this.fill = filler(scenario.seed * 100 + number);
    setTimeout(() => this.connect(), 1000 * (socket.after ?? 0));
  }

  jittered(seconds, jitter = scenario.jitter) {
    return 1000 * seconds * (1 - jitter + 2 * jitter * this.random());
  }

  connect() {
    const { socket } = this;
    const conn = ++this.conn;
    let opened = performance.now();
    let account = null; // set where the client itself ends it
    let status;
    this.timers = [];
    const ws = new WebSocket(base + socket.path, socket.protocols ?? [], {
      headers: socket.headers,
      perMessageDeflate: socket.deflate,
      maxPayload: 2 ** 26,
    });
    this.ws = ws;
    this.end = (given) => { account ??= given; };
    ws.on("unexpected-response", (_, response) => { status = response.statusCode; ws.terminate(); });
    ws.onerror = (event) => {
      if (status === undefined && ws.readyState !== WebSocket.CLOSED && !/ECONNRE|hang up/.test(event.message)) {
        account ??= { by: "client", how: "error", reason: event.message };
      }
    };
    ws.onopen = () => {
      opened = this.heard = performance.now();
      report({ event: "open", tab: this.number, conn });
      for (const timer of socket.timers ?? []) this.start(timer);
      if (socket.patience) this.waitForPong(socket.patience);
    };
    ws.onmessage = (event) => this.hear(event.data);
    ws.onclose = (event) => {
      this.timers.forEach(clearTimeout);
      const lifetime = Math.round(performance.now() - opened) / 1000;
      if (status !== undefined) account = { by: "server", how: "refused", status };
      account ??= { by: "server", how: event.code === 1006 ? "fin" : "close", code: event.code, reason: event.reason };
      report({ event: "end", tab: this.number, conn, lifetime, ...account });
      if (socket.final?.includes(event.code)) return;
      setTimeout(() => this.connect(), this.jittered(this.delay));
      this.delay = Math.min(this.delay * scenario.backoff, 5);
    };
  }

  later(milliseconds, work) {
    this.timers.push(setTimeout(() => { if (this.ws.readyState === WebSocket.OPEN) work(); }, milliseconds));
  }

  start(timer) {
    const [low, high] = timer.times ?? [1e6, 1e6];
    const times = low + Math.floor(this.random() * (high - low + 1));
    const step = (n) => {
      if (n >= times) return;
      this.say(timer.send[n % timer.send.length]);
      if (timer.every !== undefined) this.later(this.jittered(timer.every, timer.jitter), () => step(n + 1));
    };
    this.later(this.jittered(timer.first), () => step(0));
  }

  waitForPong({ within, code, reason }) {
    const left = this.heard + within * 1000 - performance.now();
    if (left > 0) return this.later(left, () => this.waitForPong({ within, code, reason }));
    this.close(code, reason);
  }

  close(code, reason) {
    this.end({ by: "client", how: "close", code });
    if (code) this.ws.close(code, reason); else this.ws.close();
  }

  hear(data) {
    const { patience, answers = {}, on_error, code } = this.socket;
    if (patience?.kind === "*") this.heard = performance.now();
    let kind;
    try {
      kind = JSON.parse(data)[scenario.key];
    } catch (error) {
      console.error(error.message);
      if (on_error === "close") this.close(code);
      if (on_error === "terminate") { this.end({ by: "client", how: "fin", code: 1006 }); this.ws.terminate(); }
      return;
    }
    if (kind === patience?.kind) this.heard = performance.now();
    if (kind in answers) this.say(answers[kind]);
  }

  say(message) {
    if (message.$text !== undefined) this.ws.send(message.$text);
    else if (message.$bytes !== undefined) this.ws.send(Buffer.from(message.$bytes, "hex"));
    else this.ws.send(JSON.stringify(this.fill(message)));
  }
}

scenario.sockets.forEach((socket, number) => new Tab(socket, number));
process.on("SIGTERM", () => process.exit(0));
