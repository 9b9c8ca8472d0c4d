// npm ws's own receiver as a judge of byte streams. Each line on stdin is a stream as JSON: {"server", "deflate", "data"}
// (base64; "deflate" are negotiated parameters or null). Prints a line for each: {"got": [[opcode, base64], …], "error"}.
import { createInterface } from "node:readline";
import { PerMessageDeflate, Receiver } from "ws";

function judge({ server, deflate, data }) {
  return new Promise((resolve) => {
    const extensions = {};
    if (deflate) {
      const extension = new PerMessageDeflate({ isServer: server });
      extension.params = deflate;
      extensions[PerMessageDeflate.extensionName] = extension;
    }
    const got = [];
    const receiver = new Receiver({ isServer: server, extensions });
    const take = (opcode) => (payload) => got.push([opcode, payload.toString("base64")]);
    receiver.on("message", (payload, binary) => take(binary ? 2 : 1)(payload));
    receiver.on("ping", take(9));
    receiver.on("pong", take(10));
    receiver.on("error", (error) => resolve({ got, error: String(error) }));
    receiver.on("finish", () => resolve({ got, error: "" }));
    receiver.end(Buffer.from(data, "base64"));
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await judge(JSON.parse(line))));
}
