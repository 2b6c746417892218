/** The page: static files for any host. Its policy lets nothing be fetched from elsewhere. */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  base: "./",
  plugins: [svelte()],
  resolve: { conditions: ["source", "browser", "module", "import", "default"] },
  worker: { format: "es" },
  build: { outDir: "dist/page", target: "es2022", chunkSizeWarningLimit: 1500, modulePreload: { polyfill: false } },
  server: { headers: isolated },
});
