import { useCallback, useEffect, useRef, useState } from "react";

/**
 * A WebSocket that opens again when it closes.
 *
 * @param {string} url
 * @param {{ heartbeatInterval?: number, reconnectInterval?: number, onMessage?: (message: object) => void }} options
 */
export function useSocket(url, { heartbeatInterval = 20_000, reconnectInterval = 1_000, onMessage } = {}) {
  const socket = useRef(null);
  const handler = useRef(onMessage);
  const [state, setState] = useState("connecting");
  const [closes, setCloses] = useState([]);
  handler.current = onMessage;

  useEffect(() => {
    let heartbeat;
    let retry;
    let left = false;

    function connect() {
      setState("connecting");
      const opened = new WebSocket(url);
      socket.current = opened;
      opened.onopen = () => {
        setState("open");
        opened.send(JSON.stringify({ type: "hello", page: "/inbox" }));
        heartbeat = setInterval(() => opened.send(JSON.stringify({ type: "ping" })), heartbeatInterval);
      };
      opened.onmessage = (event) => handler.current?.(JSON.parse(event.data));
      opened.onclose = (event) => {
        clearInterval(heartbeat);
        if (left) return;
        setState("closed");
        (window.drops ??= []).push(Date.now()); // for the tests
        setCloses((before) => [...before, { code: event.code, reason: event.reason, at: new Date() }]);
        retry = setTimeout(connect, reconnectInterval);
      };
    }

    connect();
    return () => {
      left = true;
      clearTimeout(retry);
      socket.current.close();
    };
  }, [url, heartbeatInterval, reconnectInterval]);

  const send = useCallback((message) => socket.current?.send(JSON.stringify(message)), []);
  return { state, closes, send };
}
