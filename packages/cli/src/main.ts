#!/usr/bin/env node
import { processIo } from "./io.ts";
import { run } from "./run.ts";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error; // a reader that closes early, such as head, is no failure
});
process.exitCode = await run(process.argv.slice(2), processIo());
