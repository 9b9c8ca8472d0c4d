// A reconnecting frontend on npm ws that plays a script. See lab/clients.py.
import WebSocket from "ws";
import { Conversation, Return, World, option, random } from "./script.mjs";

const base = option("url");
const program = JSON.parse(option("program"));
const world = new World(program.script.seed);

class Tab {
  constructor(tab, number) {
    Object.assign(this, { tab, number, opens: 0, delay: tab.delay ?? program.delay });
    this.script = { ...program.script, ...(tab.script ?? {}) };
    this.options = { ...program.options, ...(tab.options ?? {}) };
    this.random = random(`tab ${program.script.seed} ${number}`);
    setTimeout(() => this.connect(), 1000 * (tab.after ?? 0));
  }

  url() {
    const target = this.tab.target ?? program.target;
    const filled = target.replace(/«(\w+)»/g, (whole, name) => world.flags[name] ?? whole);
    return base + (filled.includes("«") ? this.tab.plain_target ?? program.plain_target ?? filled : filled);
  }

  connect() {
    const { options } = this;
    const ws = new WebSocket(this.url(), options.protocols ?? [], {
      headers: options.headers,
      perMessageDeflate: Boolean(options.deflate),
      handshakeTimeout: options.open_timeout ? 1000 * options.open_timeout : undefined,
      maxPayload: options.max_size ?? 2 ** 26,
      autoPong: !(options.quirks ?? []).includes("no_pong"),
    });
    let conversation;
    let turn = Promise.resolve();
    const fail = (error) => { if (!(error instanceof Return)) ws.terminate(); else ws.close(); };
    const next = (work) => { turn = turn.then(work).catch(fail); };
    ws.on("error", () => {});
    ws.on("open", () => {
      this.opens++;
      conversation = new Conversation(this.script, ws, world, { number: this.opens, known: { tab: this.number, conn: this.opens }, identity: String(this.number), fail });
      next(() => conversation.opened());
    });
    ws.on("message", (data, binary) => next(() => conversation.received(data, binary)));
    ws.on("close", () => {
      conversation?.closed();
      if (world.flags.done || this.tab.once) return;
      setTimeout(() => this.connect(), 1000 * this.delay * (1 - program.jitter + 2 * program.jitter * this.random()));
      this.delay = Math.min(this.delay * program.factor, 3);
    });
  }
}

process.on("SIGTERM", () => process.exit(0));
program.tabs.forEach((tab, number) => new Tab(tab, number));
setInterval(() => {}, 1000);
