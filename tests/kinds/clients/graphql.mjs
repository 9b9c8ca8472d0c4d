// graphql-ws, and the older subscriptions-transport-ws.
import { buildSchema, execute, subscribe } from "graphql";
import { createClient } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import transport from "subscriptions-transport-ws";
import { WebSocket, WebSocketServer } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

const schema = buildSchema("type Query { hello: String } type Subscription { order(id: ID): String price: Int }");
async function* orders() {
  for (const order of ["one", "two"]) yield { order };
}
const roots = { query: { hello: "hi" }, subscription: { order: orders, price: () => { throw new Error("no price"); } }, hello: "hi", order: orders };
const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
useServer({ schema, roots }, server);
const tap = await openTap(await listening(server));
const client = createClient({ url: `ws://127.0.0.1:${tap.port}/graphql`, webSocketImpl: WebSocket, keepAlive: 100 });
const run = (query, operationName, variables) => new Promise((done) => client.subscribe({ query, operationName, variables }, { next() {}, error: done, complete: done }));
await run("subscription OnOrder($id: ID) { order(id: $id) }", "OnOrder", { id: "7" });
await run("subscription { order }");
await run("{ hello }");
await run("{ nonsense }");
const stop = client.subscribe({ query: "subscription { order(id: 5) }" }, { next() { stop(); }, error() {}, complete() {} });
await wait(400);
await client.dispose();
tap.save("graphql-ws");

const old = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "graphql-ws" });
transport.SubscriptionServer.create({ schema, execute, subscribe, rootValue: roots, keepAlive: 100 }, old);
const oldTap = await openTap(await listening(old));
const oldClient = new transport.SubscriptionClient(`ws://127.0.0.1:${oldTap.port}/graphql`, {}, WebSocket);
oldClient.request({ query: "subscription OnOrder { order }", operationName: "OnOrder" }).subscribe({ next() {}, error() {} });
oldClient.request({ query: "{ nonsense }" }).subscribe({ next() {}, error() {} });
await wait(300);
const sub = oldClient.request({ query: "subscription { order }" }).subscribe({ next() {}, error() {} });
await wait(5);
sub.unsubscribe();
await wait(200);
oldClient.close();
await wait(100);
oldTap.save("subscriptions-transport-ws");
process.exit(0);
