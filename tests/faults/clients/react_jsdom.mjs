// The React page of pages/app.js in jsdom, where there is no browser: `--mode churn|strict|stable`.
import { filler, fixed, option, require, shape, target, words, wrap } from "../shape.mjs";

const { JSDOM } = require("jsdom");
const dom = new JSDOM('<div id="root"></div>', { url: "http://localhost:5173/", pretendToBeVisual: true });
const { document, navigator, WebSocket } = dom.window;
Object.assign(globalThis, { window: dom.window, document, navigator, WebSocket });
const React = require("react");
const ReactDOM = require("react-dom/client");
const { mount } = require("../faults/clients/pages/app.js");

const fill = filler();
const mode = option("mode", "stable");
mount(React, ReactDOM, document.getElementById("root"), {
  url: option("url").replace(/\/$/, "") + target(),
  mode: fixed && mode === "churn" ? "stable" : mode,
  key: shape.key,
  news: words.news[0],
  hello: fill(wrap(...words.hello)),
  says: Array.from({ length: 9 }, (_, n) => fill(wrap(...words.says[n % words.says.length]))),
  chatter: shape.chatter * 1.7,
  delay: Number(option("delay", shape.delay)),
  code: shape.code,
});
process.on("SIGTERM", () => process.exit(0));
