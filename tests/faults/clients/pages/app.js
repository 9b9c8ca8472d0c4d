// A status board in React, whose socket lives in an effect. `config.mode`:
//   churn   the effect depends on an object made anew by every render, so every state change closes the socket (F2)
//   strict  the effect is sound, and React's StrictMode mounts it twice in development (F1, harmless)
//   stable  the effect is sound
// Runs as a page's script and, by `react_jsdom.mjs`, in jsdom.

function mount(React, ReactDOM, root, config) {
  const { useEffect, useMemo, useRef, useState } = React;
  const h = React.createElement;
  const report = (line) => console.log(JSON.stringify(line));
  let count = 0;

  function useSocket(options, onMessage) {
    const [attempt, setAttempt] = useState(0);
    const listener = useRef(onMessage);
    listener.current = onMessage;
    useEffect(() => {
      const conn = ++count;
      const started = performance.now();
      let left = false;
      let timer;
      let chatter;
      const ws = new WebSocket(options.url);
      ws.onopen = () => {
        report({ event: "open", tab: 0, conn });
        ws.send(JSON.stringify(config.hello));
        let n = 0;
        chatter = setInterval(() => ws.send(JSON.stringify(config.says[n++ % config.says.length])), config.chatter * 1000);
      };
      ws.onmessage = (event) => listener.current(JSON.parse(event.data));
      ws.onclose = (event) => {
        clearInterval(chatter);
        const by = left ? "client" : "server";
        const how = event.code === 1006 && !left ? "fin" : "close";
        report({ event: "end", tab: 0, conn, by, how, code: event.code, lifetime: (performance.now() - started) / 1000 });
        if (!left) timer = setTimeout(() => setAttempt((a) => a + 1), config.delay * 1000);
      };
      return () => {
        left = true;
        clearTimeout(timer);
        clearInterval(chatter);
        if (config.code) ws.close(config.code, "unmounted"); else ws.close();
      };
    }, [options, attempt]);
  }

  function Board() {
    const [news, setNews] = useState([]);
    const fresh = { url: config.url };
    const kept = useMemo(() => fresh, []);
    useSocket(config.mode === "churn" ? fresh : kept, (message) => {
      if (message[config.key] === config.news) setNews((all) => [...all.slice(-20), message]);
    });
    return h("ul", null, news.map((item, n) => h("li", { key: n }, JSON.stringify(item))));
  }

  const board = h(Board);
  ReactDOM.createRoot(root).render(config.mode === "strict" ? h(React.StrictMode, null, board) : board);
}

if (typeof module !== "undefined") module.exports = { mount };
