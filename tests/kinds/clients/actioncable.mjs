// The real client of Rails; the server is written by the protocol.
import { WebSocket, WebSocketServer } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

Object.assign(globalThis, {
  WebSocket,
  document: { visibilityState: "visible", createElement: () => ({}), head: { querySelector: () => null } },
  addEventListener: () => {},
  removeEventListener: () => {},
});
globalThis.window = globalThis;
const { adapters, createConsumer } = await import("@rails/actioncable");
adapters.WebSocket = WebSocket;
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "actioncable-v1-json" });
server.on("connection", (socket) => {
  const say = (value) => socket.send(JSON.stringify(value));
  say({ type: "welcome" });
  setInterval(() => say({ type: "ping", message: Math.floor(Date.now() / 1000) }), 150);
  socket.on("message", (data) => {
    const { command, identifier, data: inner } = JSON.parse(data);
    if (command === "subscribe") say({ identifier, type: identifier.includes("Secret") ? "reject_subscription" : "confirm_subscription" });
    if (command === "message" && JSON.parse(inner).action === "speak")
      say({ identifier, message: { type: "spoken", id: Math.random(), body: "hello, everyone" } });
    if (command === "message") say({ identifier, message: "a text of the server" });
    if (command === "unsubscribe") say({ type: "disconnect", reason: "server_restart", reconnect: true });
  });
});
const tap = await openTap(await listening(server));
const consumer = createConsumer(`ws://127.0.0.1:${tap.port}/cable`);
const chat = consumer.subscriptions.create({ channel: "ChatChannel", room: "room 5" }, { connected() { this.perform("speak", { body: "hi" }); this.send({ body: "no action" }); } });
consumer.subscriptions.create("SecretChannel", {});
await wait(300);
chat.perform("away", { on: "posts/3" });
await wait(100);
chat.unsubscribe();
await wait(100);
tap.save("actioncable");
process.exit(0);
