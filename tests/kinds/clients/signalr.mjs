// The real client with both protocols; the hub is written by the protocol.
import { HttpTransportType, HubConnectionBuilder, JsonHubProtocol } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { WebSocket, WebSocketServer } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

globalThis.WebSocket = WebSocket;
for (const [name, protocol] of [["signalr", new JsonHubProtocol()], ["signalr-msgpack", new MessagePackHubProtocol()]]) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  const quiet = { log() {} };
  server.on("connection", (socket) => {
    let shaken = false;
    socket.on("message", (data) => {
      if (!shaken) {
        shaken = true;
        socket.send("{}\x1e");
        return;
      }
      const input = name === "signalr" ? data.toString() : data.buffer.slice(data.byteOffset, data.byteOffset + data.length);
      for (const message of protocol.parseMessages(input, quiet)) {
        if (message.type === 1 && message.invocationId) {
          const done = protocol.writeMessage({ type: 3, invocationId: message.invocationId, result: 5 });
          const news = protocol.writeMessage({ type: 1, target: "ReceiveMessage", arguments: ["bob", "hello, all"] });
          socket.send(news);
          socket.send(typeof done === "string" ? done + news : Buffer.concat([Buffer.from(done), Buffer.from(news)]));
        }
        if (message.type === 4) {
          socket.send(protocol.writeMessage({ type: 2, invocationId: message.invocationId, item: 1 }));
          socket.send(protocol.writeMessage({ type: 3, invocationId: message.invocationId }));
        }
      }
    });
  });
  const tap = await openTap(await listening(server));
  const hub = new HubConnectionBuilder()
    .withUrl(`http://127.0.0.1:${tap.port}/hub`, { skipNegotiation: true, transport: HttpTransportType.WebSockets })
    .withHubProtocol(protocol)
    .withKeepAliveInterval(150)
    .configureLogging(6)
    .build();
  hub.on("ReceiveMessage", () => {});
  await hub.start();
  await hub.invoke("SendMessage", "bob", "hello there");
  await hub.invoke("SendMessage", "alice", "17");
  await hub.send("Typing", 3);
  hub.stream("Counter", 10).subscribe({ next() {}, complete() {}, error() {} });
  await wait(400);
  await hub.stop();
  await wait(50);
  tap.save(name);
}
process.exit(0);
