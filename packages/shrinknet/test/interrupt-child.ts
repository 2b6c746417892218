/** The command in a process of its own that says when Ctrl-C is listened to. */
import { processIo, run } from "../src/cli.ts";

const io = processIo();
process.exitCode = await run(process.argv.slice(2), {
  ...io,
  onInterrupt(listener) {
    const stop = io.onInterrupt(listener);
    process.stderr.write("LISTENING\n");
    return stop;
  },
});
