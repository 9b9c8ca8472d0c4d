// Events, a namespace, acknowledgements both ways, a refused namespace and binary attachments.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";
import { listening, openTap, wait } from "../tap.mjs";

const http = createServer();
const io = new Server(http, { pingInterval: 300, pingTimeout: 500 });
io.on("connection", (socket) => {
  socket.emit("welcome", { id: socket.id });
  socket.on("order", (order, answer) => answer({ accepted: order.id }));
  socket.on("file", (bytes, answer) => (socket.emit("file:stored", { size: bytes.length, head: bytes.subarray(0, 2) }), answer(bytes)));
  socket.emit("question", 42, () => {});
});
io.of("/admin").on("connection", (socket) => socket.on("kick", (who) => socket.emit("kicked", who)));
io.of("/secret").use((socket, next) => next(new Error("not allowed")));
http.listen(0, "127.0.0.1");
const tap = await openTap(await listening(http));
const options = { transports: ["websocket"], reconnection: false };
const socket = connect(`ws://127.0.0.1:${tap.port}`, options);
socket.on("question", (n, answer) => answer(n + 1));
socket.emit("order", { id: "a-1", qty: 2 }, () => {});
socket.emit("order", { id: "b-77", qty: 15 }, () => {});
socket.emit("file", Buffer.from([1, 2, 3, 255]), () => {});
const admin = socket.io.socket("/admin");
admin.emit("kick", "bob");
socket.io.socket("/secret").on("connect_error", () => {});
await wait(800);
admin.disconnect();
await wait(100);
socket.disconnect();
await wait(100);
tap.save("socket.io");
process.exit(0);
