import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The tests give the port; the cache is theirs too, so that several runs at once do not share one.
export default defineConfig({
  plugins: [react()],
  cacheDir: process.env.VITE_CACHE_DIR || "node_modules/.vite",
  server: { host: "127.0.0.1", port: Number(process.env.PORT ?? 5173), strictPort: true },
});
