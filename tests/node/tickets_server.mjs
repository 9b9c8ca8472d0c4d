// node tickets_server.mjs: a Socket.IO server on which a client gets nowhere without the values that this very run made.
// Prints "listening on PORT". Whoever says back a wrong token, number or ticket is disconnected.
import { createServer } from "node:http";
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { pingInterval: 20000, pingTimeout: 5000, cors: { origin: "*" } });
io.on("connection", (socket) => {
  const session = { token: randomBytes(12).toString("hex"), seq: randomInt(1000, 1e6) * 10 + 1 };
  const ticket = randomUUID();
  const check = (ok, then) => (ok ? then() : socket.disconnect(true));
  socket.emit("session", session);
  socket.on("join", (m, answer) => check(m.token === session.token && m.seq === session.seq, () => answer({ ok: true, ticket })));
  socket.on("say", (m, answer) => check(m.ticket === ticket, () => answer({ ok: true, text: m.text })));
  socket.on("leave", (m) => check(m.ticket === ticket, () => setTimeout(() => socket.conn.close(), 20)));
});
http.listen(0, "127.0.0.1", () => console.log(`listening on ${http.address().port}`));
