// A healthy Socket.IO frontend.
import { filler, option, report, require, shape, words } from "../shape.mjs";

const { io } = require("socket.io-client");
const fill = filler();
const socket = io(option("url").replace(/^ws/, "http"), { transports: ["websocket"], reconnectionDelay: shape.delay * 1000 });
let conn = 0;
let opened;
socket.on("connect", () => {
  opened = performance.now();
  report({ event: "open", tab: 0, conn: ++conn });
  socket.emit(words.hello[0], fill(words.hello[1]));
});
socket.on("disconnect", (reason) => {
  const lifetime = Math.round(performance.now() - opened) / 1000;
  report({ event: "end", tab: 0, conn, lifetime, by: /^io client/.test(reason) ? "client" : "server", how: "close", reason });
});
let n = 0;
setInterval(() => {
  const [kind, fields] = words.says[n++ % words.says.length];
  socket.emit(kind, fill(fields), () => {});
}, shape.chatter * 1000);
process.on("SIGTERM", () => process.exit(0));
