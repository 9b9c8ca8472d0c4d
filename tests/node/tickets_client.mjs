// node tickets_client.mjs URL TRANSPORTS: the client of tickets_server.mjs. Prints what it hears as JSON lines, at last
// {"over": REASON}.
import { io } from "socket.io-client";

const [url, transports] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));
const socket = io(url, { transports: transports.split(","), reconnection: false });
socket.on("connect", () => say({ connected: true }));
socket.on("session", ({ token, seq }) => {
  say({ session: Boolean(token && seq) });
  const begin = () =>
    socket.emit("join", { token, room: "lobby", seq }, ({ ok, ticket }) => {
      say({ joined: ok });
      socket.emit("say", { ticket, text: "hi" }, (answer) => {
        say({ said: answer.text });
        setTimeout(() => socket.emit("leave", { ticket }), 400);
      });
    });
  const engine = socket.io.engine;
  if (engine.transport.name === "websocket") begin();
  else engine.once("upgrade", () => setTimeout(begin, 50));
});
socket.on("connect_error", (error) => { say({ error: error.message }); process.exit(1); });
socket.on("disconnect", (reason) => { say({ over: reason }); process.exit(0); });
