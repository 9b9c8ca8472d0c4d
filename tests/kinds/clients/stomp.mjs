// The real client; the broker is written by the protocol.
import { Client } from "@stomp/stompjs";
import { WebSocket, WebSocketServer } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

globalThis.WebSocket = WebSocket;
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "v12.stomp" });
server.on("connection", (socket) => {
  setInterval(() => socket.send("\n"), 120);
  socket.on("message", (data) => {
    const text = data.toString();
    const receipt = /^receipt:(.*)$/m.exec(text);
    if (text.startsWith("CONNECT")) socket.send("CONNECTED\nversion:1.2\nheart-beat:100,100\nsession:s-9\n\n\0");
    if (text.startsWith("SUBSCRIBE")) socket.send('MESSAGE\nsubscription:sub-0\nmessage-id:17\ndestination:/topic/orders\n\n{"id":5}\0');
    if (receipt) socket.send(`RECEIPT\nreceipt-id:${receipt[1]}\n\n\0`);
    if (text.includes("/app/broken")) socket.send("ERROR\nmessage:no such thing\n\nthe whole story\0");
  });
});
const tap = await openTap(await listening(server));
const client = new Client({ brokerURL: `ws://127.0.0.1:${tap.port}/ws`, heartbeatIncoming: 200, heartbeatOutgoing: 120, reconnectDelay: 0 });
client.onConnect = () => {
  const subscription = client.subscribe("/topic/orders", (message) => message.ack());
  client.publish({ destination: "/app/order", body: '{"id":1}' });
  client.publish({ destination: "/app/order", body: "two, please" });
  client.publish({ destination: "/user/17/queue", body: "" });
  const tx = client.begin();
  tx.commit();
  setTimeout(() => subscription.unsubscribe(), 100);
  setTimeout(() => client.publish({ destination: "/app/broken" }), 200);
};
client.activate();
await wait(400);
await client.deactivate();
await wait(100);
tap.save("stomp");
process.exit(0);
