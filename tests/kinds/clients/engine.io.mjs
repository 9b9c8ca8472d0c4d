// Messages of JSON, text and bytes; the upgrade from polling shows only its probe.
import { createServer } from "node:http";
import { attach } from "engine.io";
import { Socket } from "engine.io-client";
import { WebSocket } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

const http = createServer();
const engine = attach(http, { pingInterval: 200, pingTimeout: 500 });
engine.on("connection", (socket) => {
  socket.send(JSON.stringify({ type: "welcome", id: socket.id }));
  socket.on("message", (data) => socket.send(data));
});
http.listen(0, "127.0.0.1");
const port = await listening(http);
const tap = await openTap(port);
const socket = new Socket(`ws://127.0.0.1:${tap.port}`, { transports: ["websocket"] });
socket.on("open", () => {
  socket.send(JSON.stringify({ type: "order", id: 7, text: "two of these, please" }));
  socket.send("hello there, how are you");
  socket.send(new Uint8Array([9, 8, 7]).buffer);
});
await wait(500);
socket.close();
const { sid } = JSON.parse((await (await fetch(`http://127.0.0.1:${port}/engine.io/?EIO=4&transport=polling`)).text()).slice(1));
const upgrade = new WebSocket(`ws://127.0.0.1:${tap.port}/engine.io/?EIO=4&transport=websocket&sid=${sid}`);
upgrade.on("open", () => upgrade.send("2probe"));
upgrade.on("message", (data) => String(data) === "3probe" && upgrade.send("5"));
await wait(300);
tap.save("engine.io");
process.exit(0);
