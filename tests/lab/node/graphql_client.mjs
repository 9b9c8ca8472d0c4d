// The real graphql-ws client.
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { option } from "./script.mjs";

const program = JSON.parse(option("program"));
const client = createClient({
  url: option("url") + program.target,
  webSocketImpl: WebSocket,
  connectionParams: program.options.auth ?? {},
  retryAttempts: Infinity,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 1000 * program.delay)),
  shouldRetry: () => true,
  keepAlive: program.options.keep_alive ? 1000 * program.options.keep_alive : 0,
});
for (const query of program.options.queries ?? ["subscription { power }"]) {
  client.subscribe({ query }, { next() {}, error() {}, complete() {} });
}
process.on("SIGTERM", () => process.exit(0));
setInterval(() => {}, 1000);
