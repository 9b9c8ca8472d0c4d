// Version 2 of the serializer by the real client, text and binary; the server is written by the protocol.
import { Serializer, Socket } from "phoenix";
import { WebSocket, WebSocketServer } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
server.on("connection", (socket) =>
  socket.on("message", (data, binary) => {
    if (binary) return;
    const [join, ref, topic, event] = JSON.parse(data);
    socket.send(JSON.stringify([join, ref, topic, "phx_reply", { status: topic.startsWith("secret") ? "error" : "ok", response: {} }]));
    if (event === "new_msg") socket.send(JSON.stringify([null, null, topic, "new_msg", { user: "bob", body: "hi, all of you" }]));
    if (event === "phx_join") {
      const [t, e] = [Buffer.from(topic), Buffer.from("picture")];
      socket.send(Buffer.concat([Buffer.from([2, t.length, e.length]), t, e, Buffer.from([1, 2, 3, 200])]));
    }
  }),
);
const tap = await openTap(await listening(server));
const socket = new Socket(`ws://127.0.0.1:${tap.port}/socket`, { transport: WebSocket, heartbeatIntervalMs: 200 });
socket.connect();
const room = socket.channel("room:lobby", { token: "abc" });
room.join();
await wait(100);
room.push("new_msg", { body: "hello" });
room.push("new_msg", { body: "how are you, 17?" });
room.push("picture", new Uint8Array([5, 250, 3]).buffer);
socket.channel("secret:17").join();
await wait(300);
room.leave();
await wait(100);
tap.save("phoenix");
const old = await openTap(await listening(new WebSocketServer({ port: 0, host: "127.0.0.1" })));
const first = new WebSocket(`ws://127.0.0.1:${old.port}/socket/websocket?vsn=1.0.0`);
first.on("open", () => {
  for (const [event, payload] of [["phx_join", {}], ["new_msg", { body: "one" }], ["new_msg", { body: "another one" }]])
    first.send(JSON.stringify({ topic: "room:1", event, payload, ref: "1", join_ref: "1" }));
  first.send(JSON.stringify({ topic: "phoenix", event: "heartbeat", payload: {}, ref: "9" }));
});
await wait(200);
old.save("phoenix-v1");
process.exit(Serializer ? 0 : 1);
