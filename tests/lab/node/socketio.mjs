// A Socket.IO server. Settings are scaled: seconds in, milliseconds to the library.
import http from "node:http";
import { Server } from "socket.io";
import { option } from "./script.mjs";

const { settings } = JSON.parse(option("config"));
const server = http.createServer();
const io = new Server(server, {
  connectTimeout: 1000 * (settings.connect_timeout ?? 45),
  pingInterval: 1000 * (settings.eio_interval ?? 25),
  pingTimeout: 1000 * (settings.eio_timeout ?? 20),
  maxHttpBufferSize: settings.max_size ?? 1e6,
  cors: settings.origins ? { origin: settings.origins } : undefined,
  allowRequest: settings.origins ? (request, answer) => answer(null, settings.origins.includes(request.headers.origin)) : undefined,
});
if (settings.token) io.use((socket, next) => next(socket.handshake.auth.token === settings.token ? undefined : new Error("unauthorized")));
io.on("connection", (socket) => {
  socket.emit("welcome", { id: socket.id });
  socket.onAny((event) => {
    if (event === settings.kicks) return socket.disconnect(true);
    if (event === settings.fails) { console.error(new TypeError(`cannot handle ${event}`).stack); return socket.conn.close(true); }
    socket.emit("ack", { of: event });
  });
});
let n = 0;
setInterval(() => io.emit("news", { n: n++ }), 1000 * (settings.news ?? 0.7));
process.on("SIGTERM", () => process.exit(0));
server.listen(Number(option("port")), "127.0.0.1", () => console.log(`ready ${server.address().port}`));
