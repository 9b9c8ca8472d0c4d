// y-websocket's provider; the server is written with y-protocols, as y-websocket's own was.
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { WebSocket, WebSocketServer } from "ws";
import * as awarenessProtocol from "y-protocols/awareness";
import * as sync from "y-protocols/sync";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { listening, openTap, wait } from "../tap.mjs";

const theirs = new Y.Doc();
theirs.getText("t").insert(0, "what was there before");
const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
server.on("connection", (socket) => {
  const say = (write) => {
    const encoder = encoding.createEncoder();
    write(encoder);
    if (encoding.length(encoder) > 1) socket.send(encoding.toUint8Array(encoder));
  };
  socket.on("message", (data) => {
    const decoder = decoding.createDecoder(new Uint8Array(data));
    if (decoding.readVarUint(decoder) === 0)
      say((encoder) => {
        encoding.writeVarUint(encoder, 0);
        sync.readSyncMessage(decoder, encoder, theirs, null);
      });
    else socket.send(data);
  });
  say((encoder) => (encoding.writeVarUint(encoder, 0), sync.writeSyncStep1(encoder, theirs)));
});
const tap = await openTap(await listening(server));
const doc = new Y.Doc();
const provider = new WebsocketProvider(`ws://127.0.0.1:${tap.port}`, "room", doc, { WebSocketPolyfill: WebSocket, disableBc: true });
provider.awareness.setLocalStateField("user", { name: "bob" });
await wait(200);
doc.getText("t").insert(0, "hello");
doc.getText("t").insert(5, " there, this is a rather longer text that goes beyond a hundred and twenty-eight bytes, so that its length takes two of them");
await wait(200);
tap.save("y-websocket");
process.exit(awarenessProtocol ? 0 : 1);
