/**
 * A layered drawing of a graph without cycles, top to bottom: nodes go into rows by their longest path from a source, a
 * connection that skips rows runs through a narrow lane in each of them (one lane for all that start at the same node),
 * rows are ordered to cross few connections, and then moved sideways to run straight. Same input, same drawing.
 */

export interface LayoutNode {
  /** Pixels. */
  readonly height: number;
  /** Positions of the nodes that it reads; all come before it. */
  readonly from: readonly number[];
}

export interface LayoutEdge {
  readonly from: number;
  readonly to: number;
  /** From the lower edge of one node to the upper edge of the other; vertical at every point. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Centre and upper edge of every node. */
  readonly nodes: readonly { readonly x: number; readonly y: number }[];
  readonly edges: readonly LayoutEdge[];
}

/** A node, or the lane of a connection through a row. */
interface Cell {
  readonly row: number;
  readonly width: number;
  readonly above: Cell[];
  readonly below: Cell[];
  at: number;
  x: number;
}

const LANE = 14;
const GAP = 18;
const ROW_GAP = 30;
const SWEEPS = 12;

/** Places nodes of the given width. */
export function computeLayout(nodes: readonly LayoutNode[], width: number): Layout {
  const rowOf: number[] = [];
  for (const { from } of nodes) rowOf.push(1 + Math.max(-1, ...from.map((source) => rowOf[source] as number)));
  const rows: Cell[][] = Array.from({ length: 1 + Math.max(-1, ...rowOf) }, () => []);
  const cell = (row: number, cellWidth: number): Cell => {
    const made: Cell = { row, width: cellWidth, above: [], below: [], at: 0, x: 0 };
    (rows[row] as Cell[]).push(made);
    return made;
  };
  const cells = nodes.map((_, i) => cell(rowOf[i] as number, width));
  const lanes = nodes.map((): Cell[] => []);
  const paths = nodes.flatMap(({ from }, to) =>
    [...new Set(from)].map((source) => {
      const path = [cells[source] as Cell];
      for (let row = (rowOf[source] as number) + 1; row < (rowOf[to] as number); row++) {
        const known = (lanes[source] as Cell[])[path.length - 1];
        const lane = known ?? cell(row, LANE);
        if (!known) {
          (lanes[source] as Cell[]).push(lane);
          connect(path.at(-1) as Cell, lane);
        }
        path.push(lane);
      }
      connect(path.at(-1) as Cell, cells[to] as Cell);
      path.push(cells[to] as Cell);
      return { from: source, to, path };
    }),
  );
  order(rows);
  straighten(rows);
  const left = Math.min(0, ...rows.flat().map((one) => one.x - one.width / 2));
  for (const one of rows.flat()) one.x = Math.round(one.x - left);
  const tall = rows.map((_, row) => Math.max(0, ...nodes.map(({ height }, i) => (rowOf[i] === row ? height : 0))));
  const tops = tall.map((_, row) => tall.slice(0, row).reduce((sum, one) => sum + one + ROW_GAP, 0));
  return {
    width: Math.max(0, ...rows.flat().map((one) => one.x + one.width / 2)),
    height: (tops.at(-1) ?? 0) + (tall.at(-1) ?? 0),
    nodes: cells.map(({ x, row }) => ({ x, y: tops[row] as number })),
    edges: paths.map(({ from, to, path }) => ({
      from,
      to,
      points: path.flatMap(({ x, row }, i): [number, number][] => {
        const top = tops[row] as number;
        if (i === 0) return [[x, top + (nodes[from] as LayoutNode).height]];
        if (i === path.length - 1) return [[x, top]];
        return [
          [x, top],
          [x, top + (tall[row] as number)],
        ];
      }),
    })),
  };
}

function connect(above: Cell, below: Cell): void {
  above.below.push(below);
  below.above.push(above);
}

/** Puts every row into the order of the mean positions of its neighbours, down and up; keeps the order with least crossings. */
function order(rows: Cell[][]): void {
  const number = (row: Cell[]): void => {
    row.forEach((cell, at) => {
      cell.at = at;
    });
  };
  rows.forEach(number);
  let best = rows.map((row) => [...row]);
  let fewest = crossings(rows);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : rows.toReversed()) {
      const keys = new Map(
        row.map((cell) => [
          cell,
          mean(
            (down ? cell.above : cell.below).map(({ at }) => at),
            cell.at,
          ),
        ]),
      );
      row.sort((a, b) => (keys.get(a) as number) - (keys.get(b) as number) || a.at - b.at);
      number(row);
    }
    const count = crossings(rows);
    if (count < fewest) [fewest, best] = [count, rows.map((row) => [...row])];
  }
  best.forEach((row, i) => {
    rows[i] = row;
    number(row);
  });
}

function crossings(rows: readonly (readonly Cell[])[]): number {
  let count = 0;
  for (const row of rows) {
    const edges = row.flatMap((cell) => cell.below.map((below): [number, number] => [cell.at, below.at]));
    edges.forEach(([a, b], i) => {
      for (const [c, d] of edges.slice(i + 1)) if ((a - c) * (b - d) < 0) count++;
    });
  }
  return count;
}

/** Moves every cell towards the mean of its neighbours as far as the others of its row leave room. */
function straighten(rows: readonly (readonly Cell[])[]): void {
  for (const row of rows)
    place(
      row,
      row.map(() => 0),
    );
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const row of sweep % 2 === 0 ? rows : rows.toReversed()) {
      place(
        row,
        row.map((cell) =>
          mean(
            [...cell.above, ...cell.below].map(({ x }) => x),
            cell.x,
          ),
        ),
      );
    }
  }
}

/** The places nearest to `wanted`, in the sum of squares, that keep order and distance: pools those that are in each other's way. */
function place(row: readonly Cell[], wanted: readonly number[]): void {
  let offset = 0;
  const offsets = row.map((cell, i) => {
    if (i > 0) offset += ((row[i - 1] as Cell).width + cell.width) / 2 + GAP;
    return offset;
  });
  const pools: { sum: number; count: number }[] = [];
  wanted.forEach((x, i) => {
    pools.push({ sum: x - (offsets[i] as number), count: 1 });
    for (let last = pools.length - 1; last > 0; last--) {
      const [a, b] = [pools[last - 1], pools[last]] as [{ sum: number; count: number }, { sum: number; count: number }];
      if (a.sum / a.count <= b.sum / b.count) break;
      pools.splice(last - 1, 2, { sum: a.sum + b.sum, count: a.count + b.count });
    }
  });
  const starts = pools.flatMap(({ sum, count }) => new Array<number>(count).fill(sum / count));
  row.forEach((cell, i) => {
    cell.x = (starts[i] as number) + (offsets[i] as number);
  });
}

function mean(values: readonly number[], otherwise: number): number {
  return values.length === 0 ? otherwise : values.reduce((sum, value) => sum + value, 0) / values.length;
}
