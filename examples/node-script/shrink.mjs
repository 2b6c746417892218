// One network, three sizes: how accuracy goes with them, on digits that it has never seen.
import { writeFile } from "node:fs/promises";
import { prune } from "shrinknet";
import { digits } from "../digits.mjs";

const { file, data, test } = await digits();
for (const share of [0.75, 0.5, 0.25]) {
  const { bytes, summary } = await prune(file, { data, test, targetMacs: share, align: 1, latency: false });
  const { before, after } = summary;
  const percent = (value) => `${(100 * value).toFixed(1)} %`;
  console.log(
    `${before.units - after.units} of ${before.units} neurons gone: ${percent(after.macs / before.macs)} of the MACs, ${after.bytes} bytes, right ${percent(before.test.accuracy)} -> ${percent(after.test.accuracy)}`,
  );
  await writeFile(`digits-${100 * share}.onnx`, bytes);
}
