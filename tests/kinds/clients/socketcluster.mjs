import { createServer } from "node:http";
import client from "socketcluster-client";
import servers from "socketcluster-server";
import { listening, openTap, wait } from "../tap.mjs";

const http = createServer();
const server = servers.attach(http, { pingInterval: 150, pingTimeout: 1000 });
(async () => {
  for await (const { socket } of server.listener("connection")) {
    socket.transmit("welcome", { id: socket.id });
    (async () => {
      for await (const request of socket.procedure("order")) request.end({ accepted: request.data.id });
    })();
  }
})();
http.listen(0, "127.0.0.1");
const tap = await openTap(await listening(http));
const socket = client.create({ hostname: "127.0.0.1", port: tap.port });
await socket.listener("connect").once();
await socket.invoke("order", { id: 5 });
const channel = socket.subscribe("news");
await channel.listener("subscribe").once();
await channel.transmitPublish({ text: "hi" });
await wait(400);
tap.save("socketcluster");
process.exit(0);
