// The real client; the server is written by the protocol.
import { Centrifuge } from "centrifuge";
import { WebSocket, WebSocketServer } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
server.on("connection", (socket) => {
  const say = (...values) => socket.send(values.map((value) => JSON.stringify(value)).join("\n"));
  socket.on("message", (data) => {
    for (const line of data.toString().split("\n")) {
      const { id, ...command } = JSON.parse(line);
      const [method] = Object.keys(command);
      if (method === "connect") say({ id, connect: { client: "c-" + id, version: "5.0.0", ping: 1, pong: true } });
      if (method === "subscribe" && command.subscribe.channel === "secret") say({ id, error: { code: 103, message: "permission denied" } });
      else if (method === "subscribe") {
        say({ id, subscribe: {} });
        say({ push: { channel: "orders", pub: { data: { type: "order", id: 5 } } } }, { push: { channel: "orders", pub: { data: { type: "order", id: 6 } } } });
        say({ push: { channel: "orders", join: { info: { client: "x", user: "bob" } } } });
        say({});
      }
      if (method === "publish") say({ id, publish: {} });
      if (method === "rpc") say({ id, rpc: { data: { sum: 5 } } });
      if (method === "unsubscribe") say({ id, unsubscribe: {} });
    }
  });
});
const tap = await openTap(await listening(server));
const client = new Centrifuge(`ws://127.0.0.1:${tap.port}/connection/websocket`, { websocket: WebSocket });
client.on("error", () => {});
client.connect();
await client.ready();
const orders = client.newSubscription("orders");
orders.subscribe();
await orders.ready();
const secret = client.newSubscription("secret");
secret.on("error", () => {});
secret.subscribe();
await orders.publish({ type: "cancel", id: 7 });
await client.rpc("sum", { a: 2, b: 3 });
await wait(200);
orders.unsubscribe();
await wait(100);
client.disconnect();
await wait(50);
tap.save("centrifugo");
process.exit(0);
