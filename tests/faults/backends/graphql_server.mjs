// GraphQL subscriptions over WebSocket: `--stack old` is subscriptions-transport-ws (the server of D1), `--stack new` graphql-ws.
// `--fixed`: the one that the client expects, which is the other.
import { createServer } from "node:http";
import { fixed, option, require, shape } from "../shape.mjs";

const { buildSchema, execute, subscribe } = require("graphql");
const old = (option("stack", "old") === "old") !== fixed;
const schema = buildSchema("type Query { ok: Boolean } type Subscription { ticks: Int, greeting: String }");
const rootValue = {
  async *ticks() {
    for (let n = 0; ; n++) {
      await new Promise((resolve) => setTimeout(resolve, shape.chatter * 1000));
      yield { ticks: n };
    }
  },
};

const http = createServer((_, response) => response.writeHead(426).end());
const path = "/graphql";
if (old) {
  const { SubscriptionServer } = require("subscriptions-transport-ws");
  SubscriptionServer.create({ schema, execute, subscribe, rootValue }, { server: http, path });
} else {
  const { WebSocketServer } = require("ws");
  const { useServer } = require("graphql-ws/use/ws");
  const { handleProtocols } = require("graphql-ws");
  const server = new WebSocketServer({ server: http, path, handleProtocols: option("strict") ? handleProtocols : undefined });
  useServer({ schema, roots: { subscription: rootValue } }, server);
}
http.listen(Number(option("port", 0)), "127.0.0.1", () => console.log(`ready ${http.address().port}`));
process.on("SIGTERM", () => process.exit(0));
