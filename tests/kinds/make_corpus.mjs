// Makes corpus/*.jsonl anew: npm install && node make_corpus.mjs [name …]. Each client runs in a process of its own.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

const folder = new URL("clients/", import.meta.url);
const wanted = process.argv.slice(2);
const names = readdirSync(folder).map((file) => file.replace(".mjs", "")).filter((name) => !wanted.length || wanted.includes(name));
let failed = 0;
for (const name of names) {
  const { status } = spawnSync(process.execPath, [new URL(`${name}.mjs`, folder).pathname], { stdio: "inherit", timeout: 30_000 });
  console.log(`${name}: ${status === 0 ? "ok" : "FAILED"}`);
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
