// A backend that ends a connection on one kind of message, and the page that sends it: every message has a fresh id.
// `node kinds_backend.mjs PROTOCOL` with socket.io, json-rpc, graphql-ws or nested. Prints "listening on PORT". The page is
// at /?base=ws://HOST:PORT, where the WebSocket is.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { WebSocketServer } from "ws";

const protocol = process.argv[2];
const library = {
  "socket.io": "node_modules/socket.io-client/dist/socket.io.min.js",
  "graphql-ws": "node_modules/graphql-ws/umd/graphql-ws.min.js",
}[protocol];

const pages = {
  "socket.io": `
    const socket = io(base.replace("ws", "http"), { transports: ["websocket"], reconnectionDelay: 150, randomizationFactor: 0 });
    let timers = [];
    socket.on("connect", () => {
      const later = (ms, ...words) => timers.push(setTimeout(() => socket.emit(...words), ms));
      later(80, "move", { id: fresh(), x: 1 });
      later(160, "chat", { id: fresh(), text: "hello " + fresh() });
      later(240, "order", { id: fresh(), items: [{ sku: fresh(), n: 2 }] });
      later(330, "move", { id: fresh(), x: 2 });
    });
    socket.on("disconnect", () => timers.splice(0).forEach(clearTimeout));`,
  "graphql-ws": `
    const client = graphqlWs.createClient({
      url: base + "/graphql", lazy: false, retryAttempts: Infinity, retryWait: () => new Promise((r) => setTimeout(r, 150)),
      shouldRetry: () => true, generateID: fresh,
      on: { connected: () => {
        const stop = client.subscribe({ query: "subscription { prices }" }, { next() {}, error() {}, complete() {} });
        setTimeout(stop, 200);
      } },
    });`,
  "json-rpc": plain(`
    const call = (method, params) => JSON.stringify({ jsonrpc: "2.0", id: fresh(), method, params });
    return [call("room/move", { x: 1 }), call("room/chat", { text: fresh() }), call("room/order", { sku: fresh() }),
      call("room/move", { x: 2 })];`),
  nested: plain(`
    const say = (type, more) => JSON.stringify({ id: fresh(), data: { ...more, type, ref: fresh() }, at: Date.now() });
    return [say("cursor.move", { x: 1 }), say("chat.say", { text: fresh() }), say("chat.order", { sku: fresh() }),
      say("cursor.move", { x: 2 })];`),
};

function plain(messages) {
  return `
    const messages = () => {${messages}};
    const open = () => {
      const socket = new WebSocket(base + "/room");
      const timers = [];
      socket.onopen = () => messages().forEach((each, i) => timers.push(setTimeout(() => socket.send(each), 80 * (i + 1))));
      socket.onclose = () => { timers.forEach(clearTimeout); setTimeout(open, 150); };
    };
    open();`;
}

const http = createServer((request, response) => {
  if (request.url === "/library.js" && library) {
    response.setHeader("Content-Type", "text/javascript");
    response.end(readFileSync(new URL(library, import.meta.url)));
    return;
  }
  response.setHeader("Content-Type", "text/html");
  response.end(`<!doctype html><title>kinds</title>${library ? '<script src="/library.js"></script>' : ""}<script>
    const base = new URLSearchParams(location.search).get("base");
    const fresh = () => crypto.randomUUID();${pages[protocol]}
  </script>`);
});

if (protocol === "socket.io") {
  const server = new Server(http, { cors: { origin: "*" } });
  server.on("connection", (socket) => {
    socket.on("move", () => socket.emit("moved", { x: 1 }));
    socket.on("chat", (said) => socket.emit("said", said));
    socket.on("order", () => socket.conn.transport.socket.terminate());
  });
} else {
  const server = new WebSocketServer({ server: http, handleProtocols: (offered) => [...offered][0] ?? false });
  server.on("connection", (socket) => {
    socket.on("message", (data) => {
      const said = JSON.parse(data.toString());
      if (said.type === "complete" || said.method === "room/order" || said.data?.type === "chat.order") socket.terminate();
      else if (said.type === "connection_init") socket.send('{"type":"connection_ack"}');
      else if (said.type === "subscribe") socket.send(JSON.stringify({ id: said.id, type: "next", payload: { data: { prices: 1 } } }));
      else if (said.jsonrpc) socket.send(JSON.stringify({ jsonrpc: "2.0", id: said.id, result: "ok" }));
      else socket.send(JSON.stringify({ data: { type: "ok" } }));
    });
  });
}
http.listen(0, "127.0.0.1", () => console.log(`listening on ${http.address().port}`));
