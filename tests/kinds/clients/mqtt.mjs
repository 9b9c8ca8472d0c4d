// A packet is one message, as in browsers: under Node the client and its broker spread each over several.
import { createServer } from "node:http";
import { Aedes } from "aedes";
import mqtt from "mqtt";
import { createWebSocketStream, WebSocket, WebSocketServer } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

class Gathering extends WebSocket {
  send(data, options, done) {
    if (!this.gathered) {
      this.gathered = [];
      setImmediate(() => (super.send(Buffer.concat(this.gathered), { binary: true }), (this.gathered = null)));
    }
    this.gathered.push(Buffer.from(data));
    (done ?? options)?.();
  }
}
const broker = await Aedes.createBroker();
const http = createServer();
new WebSocketServer({ server: http, handleProtocols: () => "mqtt", WebSocket: Gathering }).on("connection", (socket, request) => broker.handle(createWebSocketStream(socket), request));
http.listen(0, "127.0.0.1");
const tap = await openTap(await listening(http));
const client = mqtt.connect(`ws://127.0.0.1:${tap.port}`, { keepalive: 1, clientId: "c-1", createWebsocket: (url, protocols) => new Gathering(url, protocols) });
await new Promise((done) => client.on("connect", done));
await client.subscribeAsync("sensors/+/temperature", { qos: 1 });
await client.publishAsync("sensors/17/temperature", "21.5", { qos: 1 });
await client.publishAsync("sensors/18/temperature", "19", { qos: 0 });
await client.publishAsync("orders/new", '{"id":1}', { qos: 2 });
await client.unsubscribeAsync("sensors/+/temperature");
await wait(1600);
await client.endAsync();
await wait(100);
tap.save("mqtt");
process.exit(0);
