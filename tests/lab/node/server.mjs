// The ws stack: one WebSocketServer on an http server, as its README shows it.
import http from "node:http";
import { WebSocketServer } from "ws";
import { Conversation, Return, World, option } from "./script.mjs";

const { script, settings, route, refusals } = JSON.parse(option("config"));
const world = new World(script.seed);
const pattern = new RegExp("^" + route.replace(/\{(\w+):int\}/g, "(?<$1>[0-9]+)").replace(/\{(\w+)\}/g, "(?<$1>[^/]+)") + "$");

function match(target) {
  const url = new URL(target, "http://localhost");
  const found = pattern.exec(url.pathname);
  return found && { ...Object.fromEntries(url.searchParams), ...found.groups };
}

const CHECKS = {
  lacks_query: (value, known) => !(value in known),
  query: ([name, re], known) => new RegExp(re).test(known[name] ?? ""),
  lacks_header: (value, known, headers) => !headers[value.toLowerCase()],
  header: ([name, re], known, headers) => new RegExp(re).test(headers[name.toLowerCase()] ?? ""),
  not_header: ([name, re], known, headers) => !new RegExp(re).test(headers[name.toLowerCase()] ?? ""),
  company: (value) => world.conversations.length >= value,
  always: () => true,
  every: (value) => world.asked % value === 0,
  chance: (value) => world.random() < value,
  after: (value) => world.asked > value,
  before: (value) => world.asked <= value,
  taken: (value, known) => world.registry.has(known.client_id ?? known.id ?? ""),
  flag: (value) => value in world.flags,
  unknown: (value, known) => value in known && world.flags[value] !== known[value],
};

const server = http.createServer((request, response) => { response.writeHead(404); response.end(); });
const wss = new WebSocketServer({
  noServer: true,
  maxPayload: settings.max_size ?? 2 ** 24,
  perMessageDeflate: Boolean(settings.deflate),
  handleProtocols: (offered) => settings.answer_protocol ?? [...offered].find((name) => (settings.protocols ?? []).includes(name)) ?? false,
});

function refuse(socket, status, body = "") {
  const text = body || http.STATUS_CODES[status];
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

server.on("upgrade", (request, socket, head) => {
  socket.on("error", () => {});
  const known = match(request.url);
  if (!known) return refuse(socket, 400);
  world.asked++;
  setTimeout(() => {
    const refusal = refusals.find((one) => Object.entries(one.if).every(([name, value]) => CHECKS[name](value, known, request.headers)));
    if (refusal) {
      if (refusal.log) console.error(refusal.log);
      if (refusal.how === "hang") return;
      if (refusal.how === "return") return socket.destroy();
      return refuse(socket, refusal.how === "raise" ? 500 : refusal.status ?? 401, refusal.body);
    }
    wss.handleUpgrade(request, socket, head, (ws) => {
      wss.emit("connection", ws, request);
      if (settings.conflict_status) {
        // a second upgrade listener that does not know this path
        setTimeout(() => refuse(socket, settings.conflict_status), 1000 * (settings.conflict_after ?? 0.001));
      }
    });
  }, 1000 * (settings.accept_after ?? 0));
});

wss.on("connection", (ws, request) => {
  const known = match(request.url);
  const fail = (error) => {
    if (error instanceof Return) return ws.close();
    console.error(error.stack);
    if (settings.guarded) return ws.terminate();
    ws.close(settings.error_code ?? 1011, settings.error_reason ?? "");
  };
  const conversation = new Conversation(script, ws, world, { number: world.opened + 1, known, identity: known.client_id ?? known.id ?? "", fail });
  let turn = Promise.resolve();
  const next = (work) => { turn = turn.then(work).catch((error) => { if (!conversation.over) fail(error); }); };
  ws.on("error", (error) => console.error(String(error)));
  ws.on("message", (data, binary) => next(() => conversation.received(data, binary)));
  if (settings.own_pings) ws.on("ping", () => fail(new TypeError("unexpected ping")));
  if (settings.ping_interval) {
    ws.alive = true;
    ws.on("pong", () => { ws.alive = true; });
    const beat = setInterval(() => {
      if (!ws.alive) return ws.terminate();
      ws.alive = false;
      ws.ping();
    }, 1000 * (settings.ping_timeout ?? settings.ping_interval));
    ws.on("close", () => clearInterval(beat));
  }
  ws.on("close", () => conversation.closed());
  next(() => conversation.opened());
});

process.on("SIGTERM", () => process.exit(0));
server.listen(Number(option("port")), "127.0.0.1", () => console.log(`ready ${server.address().port}`));
