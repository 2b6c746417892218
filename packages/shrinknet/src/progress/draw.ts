/** Progress on a terminal, drawn by listr2. */
import { DefaultRenderer, Listr, ListrLogger, ProcessOutput } from "listr2";
import type { Tell } from "./progress.ts";

/** Draws on standard error, so it works where standard output is a file or a pipe. */
class StandardErrorRenderer extends DefaultRenderer {
  static override nonTTY = true;
}

/** Runs work with a spinner and its last words; both are gone afterwards. */
export async function draw<T>(
  terminal: NodeJS.WriteStream,
  title: string,
  work: (tell: Tell) => Promise<T>,
): Promise<T> {
  const outcome: { value?: T; error?: unknown } = {};
  const processOutput = new ProcessOutput(terminal, terminal, { leaveEmptyLine: false });
  const tasks = new Listr(
    [
      {
        title,
        task: async (_, task) => {
          try {
            outcome.value = await work((text) => {
              task.title = `${title}: ${text}`;
            });
          } catch (error) {
            outcome.error = error; // told by the caller
          }
        },
      },
    ],
    {
      renderer: StandardErrorRenderer,
      rendererOptions: { clearOutput: true, logger: new ListrLogger({ processOutput, useIcons: true }) },
      registerSignalListeners: false,
    },
  );
  await tasks.run();
  if ("error" in outcome) throw outcome.error;
  return outcome.value as T;
}
