/** Writes a large file over and over, so that a signal comes while it does. */
import { writeFiles } from "../src/files/write-files.ts";

const [target = ""] = process.argv.slice(2);
const large = new Uint8Array(2 ** 28);
const writing = writeFiles(Array.from({ length: 40 }, () => ({ path: target, content: large })));
setTimeout(() => process.stdout.write("WRITING\n"), 150);
await writing;
