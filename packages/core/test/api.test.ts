import { expect, test } from "vitest";
import * as api from "../src/index.ts";

test("the public door: a name that is added or lost shows here", () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot();
});
