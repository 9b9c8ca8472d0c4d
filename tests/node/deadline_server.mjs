// node deadline_server.mjs MILLISECONDS: on npm's ws. Answers a heartbeat ("ping", or JSON of that type) in its form, and
// closes with 4002 when none came for so long. Prints "listening on PORT", and what came by which path.
import { WebSocketServer } from "ws";

const patience = Number(process.argv[2]);
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("listening", () => console.log(`listening on ${server.address().port}`));
server.on("connection", (ws, request) => {
  let timer;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => ws.close(4002, "no heartbeat"), patience);
  };
  alive();
  ws.on("message", (data) => {
    const text = data.toString();
    console.log(`${request.url} ${text}`);
    if (text === "ping" || text === '{"type":"ping"}') {
      alive();
      ws.send(text.replace("ping", "pong"));
    }
  });
  ws.on("close", () => clearTimeout(timer));
});
