// A graphql-ws server on ws.
import http from "node:http";
import { WebSocketServer } from "ws";
import { useServer } from "graphql-ws/use/ws";
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from "graphql";
import { option } from "./script.mjs";

const { settings, route } = JSON.parse(option("config"));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const field = (every) => ({
  type: GraphQLInt,
  subscribe: async function* () { for (let n = 0; ; n++) { await pause(every); yield { power: n, orders: n }; } },
});
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: "Query", fields: { me: { type: GraphQLString, resolve: () => "x" } } }),
  subscription: new GraphQLObjectType({ name: "Subscription", fields: { power: field(400), orders: field(250) } }),
});
const server = http.createServer((request, response) => { response.writeHead(404); response.end(); });
useServer(
  {
    schema,
    connectionInitWaitTimeout: 1000 * (settings.init_timeout ?? 3),
    onConnect: settings.token ? ({ connectionParams }) => connectionParams?.token === settings.token : undefined,
  },
  new WebSocketServer({ server, path: route, perMessageDeflate: Boolean(settings.deflate) }),
  1000 * (settings.ping_interval ?? 12),
);
process.on("SIGTERM", () => process.exit(0));
server.listen(Number(option("port")), "127.0.0.1", () => console.log(`ready ${server.address().port}`));
