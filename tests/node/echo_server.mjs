// An echo server on npm's ws. Prints "listening on PORT". "close CODE REASON" makes it close like that.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: { threshold: 0 } });
server.on("listening", () => console.log(`listening on ${server.address().port}`));
server.on("connection", (ws) => {
  ws.on("message", (data, binary) => {
    const closing = !binary && /^close (\d+) (.*)$/s.exec(data.toString());
    if (closing) ws.close(Number(closing[1]), closing[2]);
    else ws.send(data, { binary });
  });
});
