// D1: a frontend that subscribes by graphql-ws, and subscribes again after every failure.
import { option, report, require, shape } from "../shape.mjs";

const WebSocket = require("ws");
const { createClient } = require("graphql-ws");
const url = option("url").replace(/\/$/, "") + "/graphql";
const delay = Number(option("delay", shape.delay)) * 1000;
const query = "subscription { ticks }";
let conn = 0;
let opened;

const Watched = class extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { perMessageDeflate: shape.deflate });
    conn += 1;
    opened = performance.now();
    this.on("open", () => { opened = performance.now(); report({ event: "open", tab: 0, conn }); });
    this.on("close", (code, reason) => {
      const account = { by: this.left ? "client" : "server", how: code === 1006 ? "fin" : "close", code, reason: String(reason) };
      report({ event: "end", tab: 0, conn, lifetime: Math.round(performance.now() - opened) / 1000, ...account });
    });
  }
  close(...rest) { if (this.readyState < WebSocket.CLOSING && !this._closeFrameReceived) this.left = true; super.close(...rest); }
};

const again = () => setTimeout(subscribe, delay);

function subscribe() {
  const client = createClient({ url, webSocketImpl: Watched, retryAttempts: 0, connectionParams: { app: "demo" } });
  client.subscribe({ query }, { next() {}, error: again, complete: again });
}

subscribe();
process.on("SIGTERM", () => process.exit(0));
