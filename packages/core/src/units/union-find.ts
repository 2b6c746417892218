/** Disjoint sets over the integers 0..size-1, with path halving; the smallest member represents its set. */
export class UnionFind {
  readonly #parent: Int32Array;

  constructor(size: number) {
    this.#parent = new Int32Array(size);
    for (let i = 0; i < size; i++) this.#parent[i] = i;
  }

  find(i: number): number {
    const parent = this.#parent;
    while (parent[i] !== i) {
      parent[i] = parent[parent[i] as number] as number;
      i = parent[i] as number;
    }
    return i;
  }

  union(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x !== y) this.#parent[Math.max(x, y)] = Math.min(x, y);
  }

  /** By member: its set's representative. */
  representatives(): Int32Array {
    const all = this.#parent.slice();
    for (let i = 0; i < all.length; i++) all[i] = all[all[i] as number] as number; // parents are smaller: done before
    return all;
  }
}
