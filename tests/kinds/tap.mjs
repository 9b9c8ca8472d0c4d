// A relay between a real client and a server that writes down every message of both, as JSON Lines.
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export const listening = (server) =>
  new Promise((done) => {
    const tell = () => done((server.address ?? server.server.address).call(server).port);
    if (server.listening || server.address?.()) tell();
    else server.once("listening", tell);
  });

// Relays ws://127.0.0.1:<tap.port>/… to the same path of `upstream` (a port).
export async function openTap(upstream) {
  const lines = [];
  const note = (side, data, binary) =>
    lines.push(
      JSON.stringify({ side, opcode: binary ? "binary" : "text", ...(binary ? { base64: data.toString("base64") } : { text: data.toString() }) }),
    );
  const plain = createServer(async (request, response) => {
    const answer = await fetch(`http://127.0.0.1:${upstream}${request.url}`);
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" });
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  const relay = new WebSocketServer({ server: plain, handleProtocols: (offered) => [...offered][0] });
  relay.on("connection", (client, request) => {
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim()).filter(Boolean);
    const server = new WebSocket(`ws://127.0.0.1:${upstream}${request.url}`, offered);
    const early = [];
    client.on("message", (data, binary) => {
      note("client", data, binary);
      if (server.readyState === WebSocket.OPEN) server.send(data, { binary });
      else early.push([data, { binary }]);
    });
    server.on("open", () => early.splice(0).forEach((args) => server.send(...args)));
    server.on("message", (data, binary) => {
      note("server", data, binary);
      client.send(data, { binary });
    });
    server.on("close", () => client.close());
    client.on("close", () => server.close());
    server.on("error", () => client.terminate());
    client.on("error", () => server.terminate());
  });
  plain.listen(0, "127.0.0.1");
  return {
    port: await listening(plain),
    lines,
    save: (name) => writeFileSync(new URL(`corpus/${name}.jsonl`, import.meta.url), lines.map((line) => line + "\n").join("")),
  };
}
