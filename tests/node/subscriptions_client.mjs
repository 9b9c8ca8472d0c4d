// node subscriptions_client.mjs URL: the client of subscriptions_server.mjs. Prints what it hears as JSON lines, at last
// {"over": CODE, "reason": ...}.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const say = (line) => console.log(JSON.stringify(line));
const client = createClient({
  url: process.argv[2] + "/graphql",
  webSocketImpl: WebSocket,
  retryAttempts: 0,
  connectionParams: { app: "tests" },
  on: {
    connected: () => say({ connected: true }),
    closed: (event) => { say({ over: event.code, reason: event.reason }); process.exit(0); },
  },
});
const quiet = { error() {}, complete() {} };
let ticks = 0;
let ticket;
const redeem = () => {
  if (ticks < 3 || !ticket) return;
  say({ ticket: true, ticks });
  client.subscribe({ query: "mutation Redeem($ticket: String!) { redeem(ticket: $ticket) }", variables: { ticket } }, {
    ...quiet,
    next({ data }) { say({ redeemed: data.redeem }); },
  });
};
client.subscribe({ query: "subscription { ticks }" }, { ...quiet, next() { ticks += 1; redeem(); } });
client.subscribe({ query: "subscription { tickets }" }, { ...quiet, next({ data }) { ticket = data.tickets; redeem(); } });
