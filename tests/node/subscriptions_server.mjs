// node subscriptions_server.mjs: graphql-ws on ws. A subscription hands out a ticket that only this run knows; using
// another one closes the connection with 4403. Prints "listening on PORT".
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

const schema = buildSchema(`
  type Query { ok: Boolean }
  type Mutation { redeem(ticket: String!): String }
  type Subscription { tickets: String, ticks: Int }
`);
const issued = new Set();
const roots = {
  mutation: {
    redeem: ({ ticket }, { extra }) => {
      if (!issued.delete(ticket)) return extra.socket.close(4403, "no such ticket");
      setTimeout(() => extra.socket.close(4200, "redeemed"), 20);
      return "welcome";
    },
  },
  subscription: {
    tickets: async function* () {
      const ticket = randomUUID();
      issued.add(ticket);
      yield { tickets: ticket };
    },
    ticks: async function* () {
      for (let n = 0; n < 3; n++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        yield { ticks: n };
      }
      await new Promise(() => {}); // as many in every run
    },
  },
};
const http = createServer((_, response) => response.writeHead(426).end());
useServer({ schema, roots, context: (ctx) => ctx }, new WebSocketServer({ server: http, path: "/graphql" }));
http.listen(0, "127.0.0.1", () => console.log(`listening on ${http.address().port}`));
