// The real socket.io-client, on the WebSocket transport alone.
import { io } from "socket.io-client";
import { option } from "./script.mjs";

const program = JSON.parse(option("program"));
const { auth, events = ["chat"], every = 0.5, target } = program.options;
program.tabs.forEach((tab) => setTimeout(() => {
  const socket = io(option("url").replace("ws:", "http:"), {
    path: target, transports: ["websocket"], auth: auth ?? {}, forceNew: true,
    reconnectionDelay: 1000 * program.delay, reconnectionDelayMax: 1000 * program.delay * 2,
    extraHeaders: program.options.headers,
  });
  socket.on("disconnect", (reason) => { if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000 * program.delay); });
  let n = 0;
  setInterval(() => { if (socket.connected) socket.emit(events[n++ % events.length], { n, text: "lumen pier" }); }, 1000 * every);
}, 1000 * (tab.after ?? 0)));
process.on("SIGTERM", () => process.exit(0));
