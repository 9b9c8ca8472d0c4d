// What Vite makes of a folder's .env files: a JSON list of {folder, mode} on stdin, as many answers on stdout.
import { readFileSync } from "node:fs";
import { loadEnv } from "vite";

const cases = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(({ folder, mode }) => loadEnv(mode, folder, "VITE_"))));
