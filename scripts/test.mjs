// The whole check: format and lint, types, tests, build, package checks. Ends with a line "N passed, N failed" that
// counts the steps' own results: vitest's tests and one for each other step.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "shrinknet-test-"));
const report = join(folder, "vitest.json");
const bin = (name) => join("node_modules", ".bin", name);
const steps = [
  ["format and lint", bin("biome"), ["check", "--error-on-warnings", "."]],
  ["types", bin("tsc"), ["--noEmit", "-p", "tsconfig.json"]],
  ["tests", bin("vitest"), ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`]],
  ["build", "npm", ["run", "--silent", "build"]],
  ["unused code", bin("knip"), ["--no-progress"]],
  ["packages", process.execPath, ["scripts/check-packages.mjs"]],
  ["documentation", process.execPath, ["scripts/check-site.mjs"]],
  ["types of the studio's page", "npm", ["run", "--silent", "check", "-w", "@shrinknet/studio"]],
  ["studio in a browser", process.execPath, ["scripts/check-studio.mjs"]],
  ["in a browser", process.execPath, ["scripts/check-page.mjs"]],
  ["install from tarballs", process.execPath, ["scripts/check-install.mjs"]],
];

let passed = 0;
let failed = 0;
for (const [name, command, args] of steps) {
  console.log(`\n--- ${name}`);
  const ok = spawnSync(command, args, { stdio: "inherit" }).status === 0;
  if (name !== "tests") {
    if (ok) passed++;
    else failed++;
    continue;
  }
  const counts = readCounts();
  passed += counts.passed;
  failed += Math.max(counts.failed, ok ? 0 : 1);
}
rmSync(folder, { recursive: true });
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

function readCounts() {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
    return { passed: numPassedTests, failed: numFailedTests };
  } catch {
    return { passed: 0, failed: 1 };
  }
}
