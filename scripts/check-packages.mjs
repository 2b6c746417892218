// Package checks on the built packages: publint, and that each packed package installs and loads without its sources.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

let failed = false;
for (const name of readdirSync("packages")) {
  const folder = join("packages", name);
  const { messages, pkg } = await publint({ pkgDir: folder, strict: true });
  for (const message of messages) {
    failed = true;
    console.log(`${pkg.name}: ${formatMessage(message, pkg)}`);
  }
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  for (const path of Object.keys(exports)) {
    const door = join(pkg.name, path);
    // as a user gets it: without the "source" condition, from dist
    const load = spawnSync(process.execPath, ["--input-type=module", "-e", `await import("${door}")`], {
      stdio: "inherit",
    });
    if (load.status !== 0) failed = true;
    else console.log(`${door}: loads from dist`);
  }
}
process.exitCode = failed ? 1 : 0;
