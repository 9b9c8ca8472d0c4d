// node echo_client.mjs URL: sends what tests/test_real_clients.py expects, waits for each echo, has the server close,
// and prints {"echoes": [...], "pong": "...", "code", "reason"}.
import WebSocket from "ws";
import { MESSAGES } from "./messages.mjs";

const ws = new WebSocket(process.argv[2], { perMessageDeflate: { threshold: 0 } });
const echoes = [];
let pong = "";

function next() {
  const message = MESSAGES[echoes.length];
  if (message === undefined) ws.ping("are you there?");
  else if (Array.isArray(message)) {
    message.forEach((part, n) => ws.send(part, { fin: n === message.length - 1 }));
  } else ws.send(message);
}

ws.on("open", next);
ws.on("message", (data, binary) => {
  echoes.push([binary ? "binary" : "text", data.toString("base64")]);
  next();
});
ws.on("pong", (data) => {
  pong = data.toString();
  ws.send("close 4001 bye");
});
ws.on("close", (code, reason) => {
  console.log(JSON.stringify({ echoes, pong, code, reason: reason.toString(), extensions: ws.extensions }));
});
