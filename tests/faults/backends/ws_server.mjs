// The faults on npm ws: `--fault a3`, `--fixed`, `--manner`, `--port`, `--shape` as the Python backends take them.
import { answers, clientId, filler, fixed, option, ping, pong, require, route, say, shape, words } from "../shape.mjs";

const { WebSocketServer } = require("ws");
const fault = option("fault", "healthy");
const manner = option("manner", "");
const active = new Map();
let count = 0;

function expired(token) {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1], "base64url")).exp * 1000 < Date.now();
  } catch {
    return true; // no token at all
  }
}

class Healthy {
  constructor(socket, request) {
    this.socket = socket;
    this.id = clientId(request.url);
    this.query = new URL(request.url, "ws://localhost").searchParams;
    this.fill = filler(shape.seed * 1000 + ++count);
    this.timers = [];
  }
  send(message) { this.socket.send(JSON.stringify(this.fill(message))); }
  every(seconds, work) { this.timers.push(setInterval(work, seconds * 1000)); }
  opened() { if (shape.news) this.every(shape.news, () => this.send(say("news"))); }
  received(data, isBinary) { this.answer(JSON.parse(data)); }
  answer(message) {
    for (const answer of answers(message)) setTimeout(() => this.send(answer), shape.latency * 1000);
  }
  closed() { this.timers.forEach(clearInterval); }
}

const faults = {
  healthy: Healthy,
  // JSON.parse throws; the author catches everything and gives the connection up.
  a3: class extends Healthy {
    received(data) {
      if (fixed && String(data) === shape.ping_text) return this.socket.send("pong");
      try { super.received(data); } catch (error) {
        console.error(error);
        if (manner === "terminate") this.socket.terminate(); else this.socket.close(shape.code || 1011, shape.reason || error.message.slice(0, 100));
      }
    }
  },
  a4: class extends Healthy {
    received(data) {
      const message = JSON.parse(data);
      if (message.seq === undefined && !fixed) return this.socket.close(shape.code || 1008, shape.reason || "invalid message");
      this.answer(message);
    }
  },
  a5: class extends Healthy {
    received(data, isBinary) {
      if (isBinary) return fixed ? undefined : this.socket.close(shape.code || 1003, shape.reason);
      super.received(data);
    }
  },
  a1: class extends Healthy {
    opened() { if (fixed) return super.opened(); if (manner === "greets") this.send(say("news")); this.socket.close(); }
  },
  a2: class extends Healthy {
    opened() { this.send(say("news")); }
    received(data) {
      super.received(data);
      if (!fixed) setTimeout(() => this.socket.close(), shape.latency * 1000 + 1);
    }
  },
  b3: class extends Healthy {
    opened() {
      super.opened();
      this.seen = Date.now();
      this.send(ping());
      this.every(shape.deadline * 0.4, () => this.send(ping()));
      this.every(0.02, () => {
        if (!fixed && Date.now() - this.seen >= shape.deadline * 1000) {
          this.closed();
          if (manner === "terminate") this.socket.terminate(); else this.socket.close(shape.code || 1000, shape.reason);
        }
      });
    }
    received(data) {
      const message = JSON.parse(data);
      if (manner === "silence" || message[shape.key] === pong()[shape.key]) this.seen = Date.now();
      this.answer(message);
    }
  },
  b4: class extends Healthy {
    received(data) {
      const message = JSON.parse(data);
      if (message[shape.key] !== shape.ping_kind || fixed) return this.answer(message);
      if (manner === "other") this.socket.send(JSON.stringify({ status: "ok" }));
    }
  },
  d7: class extends Healthy {
    opened() {
      if (!fixed && expired(this.query.get("token"))) return this.socket.close(shape.code || 4401, shape.reason || "jwt expired");
      super.opened();
    }
  },
  f2: class extends Healthy {
    opened() { this.every(shape.chatter, () => this.send(say("news"))); }
  },
  f4: class extends Healthy {
    received(data) {
      const message = JSON.parse(data);
      this.answer(message);
      if (message[shape.key] !== words.hello[0]) return;
      const text = `Welcome, ${this.id}!`;
      setTimeout(() => this.socket.send(fixed ? JSON.stringify({ [shape.key]: "notice", text }) : text), 30);
    }
  },
  f5: class extends Healthy {
    opened() {
      if (!fixed) active.get(this.id)?.close(shape.code || 4000, shape.reason);
      active.set(this.id, this.socket);
      super.opened();
    }
    closed() { super.closed(); if (active.get(this.id) === this.socket) active.delete(this.id); }
  },
  harmless: class extends Healthy {
    received(data) {
      try { super.received(data); } catch (error) {
        console.error(error);
        if (manner === "tells") this.socket.send(JSON.stringify({ [shape.key]: "error", message: error.message }));
      }
    }
  },
};
const Handler = faults[fault] ?? Healthy;

function refusal(request) {
  const doubled = "/" + route.split("/")[1];
  const url = fixed && fault === "d10" && request.url.startsWith(doubled + doubled) ? request.url.slice(doubled.length) : request.url;
  const wanted = route.split("/");
  const asked = url.split("?")[0].split("/");
  if (asked.length !== wanted.length || wanted.some((part, i) => part !== "{client_id}" && part !== asked[i])) return 404;
  const known = new URL(url, "ws://localhost").searchParams.has(fixed ? "token" : "access_token");
  return fault === "d8" && !known ? 401 : 0;
}

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(option("port", 0)),
  perMessageDeflate: shape.deflate,
  maxPayload: fault === "e1" && !fixed ? shape.limit : 2 ** 24,
  handleProtocols: fixed || fault !== "d3" ? undefined : () => false,
  verifyClient: (info, done) => { const status = refusal(info.req); done(!status, status); },
});
server.on("listening", () => console.log(`ready ${server.address().port}`));
server.on("connection", (socket, request) => {
  const handler = new Handler(socket, request);
  socket.on("error", (error) => console.error(error.message));
  socket.on("message", (data, isBinary) => handler.received(data, isBinary));
  socket.on("close", () => handler.closed());
  handler.opened();
});
process.on("SIGTERM", () => process.exit(0));
