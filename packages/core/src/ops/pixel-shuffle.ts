/**
 * Between channels and places: blocks of r * r channels X[N, C * r * r, H, W] are places of one channel Y[N, C, H * r, W * r], so each
 * block is one unit. DepthToSpace's mode says whether channels of a block follow each other (CRD) or lie C apart (DCR).
 */
import { intAttribute, stringAttribute } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Node } from "../graph/graph.ts";
import type { OpRule, Port, Ties } from "./rule.ts";

const isInterleaved = (node: Node): boolean =>
  node.opType === "DepthToSpace" && stringAttribute(node, "mode", "DCR") === "CRD";

/** `deep` has the blocks of channels, `wide` the places. */
function tieBlocks(t: Ties, deep: Port | undefined, wide: Port | undefined): void {
  if (!deep || !wide) return;
  const size = intAttribute(t.node, "blocksize", 1);
  const channels = wide.dims[1] as number;
  t.tie(deep, 0, wide, 0);
  for (let place = 0; place < size * size; place++) {
    t.tie(deep, 1, wide, 1, (c) => (isInterleaved(t.node) ? c * size * size + place : place * channels + c));
  }
  for (const port of [deep, wide]) for (const axis of [2, 3]) t.pass(port, axis);
}

/** [N, C, H * r, W * r] -> [N, C * r * r, H, W]: undoes DepthToSpace, and is SpaceToDepth. */
function toDepth(b: GraphBuilder, x: string, dims: readonly number[], node: Node): string {
  const size = intAttribute(node, "blocksize", 1);
  const [channels = 0, height = 0, width = 0] = dims.slice(1);
  const apart = b.reshape(x, [0, channels, height / size, size, width / size, size]);
  const perm = isInterleaved(node) ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4];
  const moved = b.op("Transpose", [apart], { perm });
  return b.reshape(moved, [0, channels * size * size, height / size, width / size]);
}

export const DepthToSpace: OpRule = {
  ties: (t) => tieBlocks(t, t.X(0), t.Y()),
  linear: [(d) => toDepth(d.b, d.incoming() as string, d.outDims(), d.node)],
};

export const SpaceToDepth: OpRule = {
  ties: (t) => tieBlocks(t, t.Y(), t.X(0)),
  linear: [
    (d) => d.b.op("DepthToSpace", [d.incoming() as string], { blocksize: intAttribute(d.node, "blocksize", 1) }),
  ],
};
