/** `shrinknet paper` as a user runs it; what it measures is tested in packages/paper. */
import { afterAll, expect, test } from "vitest";
import { Workplace } from "./support.ts";

const place = new Workplace();
afterAll(() => place.remove());

test("list names the nine experiments, as a table and as JSON", async () => {
  const { code, stdout, stderr } = await place.run("paper list");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [head = "", ...rows] = stdout.trimEnd().split("\n");
  expect(head).toMatch(/^experiment +network +units +trained to +schedules$/);
  expect(rows).toHaveLength(9);
  expect(rows[2]).toMatch(/^mnist-1layer +400-100-10 +100 +accuracy 0.998 +rerank, once$/);
  const json = await place.run("paper list --json");
  expect((JSON.parse(json.stdout) as { experiments: unknown[] }).experiments).toHaveLength(9);
});

test.each([
  ["paper mnist --out out", 'experiment "mnist": is unknown, expected all or names of cosine-small, cosine-big'],
  ["paper cosine-small", "--out: is missing, expected a folder for the results"],
  ["paper cosine-small --out out --seeds 0", "--seeds 0: expected at least 1"],
  ["paper", "missing required argument 'experiments'"],
])("%s is wrong usage", async (line, message) => {
  const { code, stdout, stderr } = await place.run(line);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(message);
});
