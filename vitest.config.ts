import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source", "node", "import", "default"] } },
  test: {
    include: ["packages/*/{src,test}/**/*.test.ts"],
    expect: { requireAssertions: true },
    pool: "forks",
    maxWorkers: 2,
    setupFiles: ["packages/core/test/support/seed.ts"],
    env: {
      XDG_CACHE_HOME: "node_modules/.cache", // what a command keeps for the next one
      FORCE_COLOR: "0", // commands started by a test print no colours, also where the whole run is told to
    },
    // only what hangs: a busy machine must not fail a test
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
  },
});
