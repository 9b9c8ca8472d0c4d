import { createServer } from "node:http";
import sockjs from "sockjs";
import SockJS from "sockjs-client";
import { listening, openTap, wait } from "../tap.mjs";

const http = createServer();
const echo = sockjs.createServer({ heartbeat_delay: 150, log() {} });
echo.on("connection", (connection) => {
  connection.write(JSON.stringify({ type: "welcome", id: connection.id }));
  connection.on("data", (data) => (data === "bye" ? connection.close(3000, "as you wish") : connection.write(data)));
});
echo.installHandlers(http, { prefix: "/echo" });
http.listen(0, "127.0.0.1");
const tap = await openTap(await listening(http));
const socket = new SockJS(`http://127.0.0.1:${tap.port}/echo`, null, { transports: ["websocket"], timeout: 5000 });
socket.onopen = () => {
  socket.send(JSON.stringify({ type: "order", id: 1 }));
  socket.send(JSON.stringify({ type: "order", id: 223 }));
  socket.send("hello there, everyone");
  setTimeout(() => socket.send("bye"), 300);
};
await wait(800);
tap.save("sockjs");
process.exit(tap.lines.length ? 0 : 1);
