import { JSONRPCClient, JSONRPCServer } from "json-rpc-2.0";
import { WebSocket, WebSocketServer } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

const rpc = new JSONRPCServer();
rpc.addMethod("room/order", ({ id }) => ({ accepted: id }));
rpc.addMethod("log", () => {});
rpc.addMethod("add", ([a, b]) => a + b);
const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
server.on("connection", (socket) =>
  socket.on("message", async (data) => {
    const answer = await rpc.receiveJSON(data.toString());
    if (answer) socket.send(JSON.stringify(answer));
    socket.send(JSON.stringify({ jsonrpc: "2.0", method: "room/changed", params: { at: Date.now() } }));
  }),
);
const tap = await openTap(await listening(server));
const socket = new WebSocket(`ws://127.0.0.1:${tap.port}`);
const client = new JSONRPCClient((request) => socket.send(JSON.stringify(request)));
socket.on("message", (data) => client.receive(JSON.parse(data)));
await new Promise((done) => socket.on("open", done));
await client.request("room/order", { id: "a-1" });
await client.request("room/order", { id: "b-2" });
await client.request("add", [2, 3]);
client.notify("log", { text: "something happened" });
await client.request("nothing", {}).then(null, () => {});
client.requestAdvanced([
  { jsonrpc: "2.0", id: 70, method: "add", params: [1, 2] },
  { jsonrpc: "2.0", id: 71, method: "room/order", params: { id: "c" } },
]).then(null, () => {});
await wait(200);
tap.save("json-rpc");
process.exit(0);
