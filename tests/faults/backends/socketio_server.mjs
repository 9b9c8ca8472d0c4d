// A healthy Socket.IO application, with Engine.IO's heartbeats of its own.
import { createServer } from "node:http";
import { filler, option, require, say, shape } from "../shape.mjs";

const { Server } = require("socket.io");
const http = createServer();
const fill = filler();
const io = new Server(http, { pingInterval: shape.heartbeat * 1000, pingTimeout: 2000, perMessageDeflate: shape.deflate });
io.on("connection", (socket) => {
  socket.onAny((kind, message, answer) => answer?.(fill(say("ack"))));
  const timer = setInterval(() => socket.emit("news", fill(say("news"))), shape.chatter * 1000);
  socket.on("disconnect", () => clearInterval(timer));
});
http.listen(Number(option("port", 0)), "127.0.0.1", () => console.log(`ready ${http.address().port}`));
process.on("SIGTERM", () => process.exit(0));
