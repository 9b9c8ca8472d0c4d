// Autobahn's client; the router is written by the protocol.
import autobahn from "autobahn";
import { WebSocketServer } from "ws";
import { listening, openTap, wait } from "../tap.mjs";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "wamp.2.json" });
server.on("connection", (socket) => {
  const say = (...message) => socket.send(JSON.stringify(message));
  socket.on("message", (data) => {
    const [type, request, options, uri, args] = JSON.parse(data);
    if (type === 1) say(2, 9129137332, { roles: { broker: {}, dealer: {} } });
    if (type === 32) say(33, request, 5512315355), say(36, 5512315355, 4429313566, {}, ["hello"], { id: 3 });
    if (type === 34) say(35, request);
    if (type === 16) say(17, request, 4429313567);
    if (type === 64) say(65, request, 2103333224), say(68, 6131533, 2103333224, {}, [2, 3]);
    if (type === 66) say(67, request);
    if (type === 48 && uri === "com.app.add") say(50, request, {}, [args[0] + args[1]]);
    if (type === 48 && uri !== "com.app.add") say(8, 48, request, {}, "wamp.error.no_such_procedure");
    if (type === 6) say(6, {}, "wamp.close.goodbye_and_out");
  });
});
const tap = await openTap(await listening(server));
const connection = new autobahn.Connection({ url: `ws://127.0.0.1:${tap.port}/ws`, realm: "realm1", max_retries: 0 });
connection.onopen = async (session) => {
  const subscription = await session.subscribe("com.app.order", () => {});
  await session.publish("com.app.order", [1], { id: 2 }, { acknowledge: true });
  const registration = await session.register("com.app.mul", ([a, b]) => a * b);
  await session.call("com.app.add", [2, 3]);
  await session.call("com.app.add", [20, 30]);
  await session.call("com.app.nothing", []).catch(() => {});
  await session.unsubscribe(subscription);
  await session.unregister(registration);
  connection.close();
};
connection.open();
await wait(500);
tap.save("wamp");
process.exit(0);
