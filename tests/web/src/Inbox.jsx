import { useMemo, useState } from "react";

import { useSocket } from "./useSocket.js";

const BASE = import.meta.env.VITE_WS_BASE;
const HEARTBEAT = Number(import.meta.env.VITE_HEARTBEAT_INTERVAL ?? 20_000);
const RECONNECT = Number(import.meta.env.VITE_RECONNECT_INTERVAL ?? 1_000);

export function Inbox() {
  const client = useMemo(() => `client-${Math.floor(Math.random() * 1e6)}`, []);
  const [messages, setMessages] = useState([]);
  const { state, closes, send } = useSocket(`${BASE}/${client}`, {
    heartbeatInterval: HEARTBEAT,
    reconnectInterval: RECONNECT,
    onMessage: (message) => setMessages((before) => [...before.slice(-49), message]),
  });

  return (
    <main style={{ fontFamily: "system-ui", maxWidth: 640, margin: "2rem auto" }}>
      <h1>Inbox</h1>
      <p>
        Connection: <output aria-label="Connection">{state}</output>, dropped{" "}
        <output aria-label="Drops">{closes.length}</output> times
      </p>
      <button type="button" disabled={state !== "open"} onClick={() => send({ type: "refresh" })}>
        Refresh
      </button>
      <h2>Log</h2>
      <ol aria-label="Log">
        {closes.slice(-8).map((close) => (
          <li key={close.at.getTime()}>
            {close.at.toLocaleTimeString()}: closed with {close.code} {close.reason || "(no reason)"}
          </li>
        ))}
      </ol>
      <h2>Messages</h2>
      <ul aria-label="Messages">
        {messages.slice(-8).map((message, index) => (
          <li key={index}>{JSON.stringify(message)}</li>
        ))}
      </ul>
    </main>
  );
}
