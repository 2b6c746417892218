import { processIo } from "./io.ts";
import { run } from "./run.ts";

// npm run goes to the project's folder; files are meant from where it was called
const { npm_lifecycle_event: script, INIT_CWD: calledFrom } = process.env;
if (script === "shrinknet" && calledFrom) process.chdir(calledFrom);

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error; // a reader that closes early, such as head, is no failure
});
process.exitCode = await run(process.argv.slice(2), processIo());
