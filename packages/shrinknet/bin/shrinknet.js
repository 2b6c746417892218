#!/usr/bin/env node
// The command. It stands outside dist so that npm can link it before anything is built.
import { existsSync } from "node:fs";

const main = new URL("../dist/main.js", import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  console.error("shrinknet: is not built yet, expected dist/main.js; run npm run build first");
  process.exitCode = 1;
}
