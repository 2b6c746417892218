/** A bump allocator over the kernel's memory. */
import type { Kernel } from "./kernel.ts";

/** The kernel's own constants lie below: its tables of logarithms at 1024 to 5120. */
const FIRST = 8192;
const PAGE = 65536;

export class Arena {
  readonly #memory: Kernel["memory"];
  /** First free byte; may be set back to free what was taken last. */
  top: number = FIRST;

  /** Room for `floats` in all; {@link take} makes more where needed. */
  constructor(memory: Kernel["memory"], floats: number) {
    this.#memory = memory;
    this.#ensure(FIRST + floats * 4);
  }

  /** Room for `count` floats, 16-byte aligned, as an address. */
  take(count: number): number {
    const at = this.top;
    this.top += Math.ceil(count / 4) * 16;
    this.#ensure(this.top);
    return at;
  }

  /** A view of `count` floats; void after the next {@link take}. */
  floats(address: number, count: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, count);
  }

  words(address: number, count: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, address, count);
  }

  #ensure(bytes: number): void {
    const pages = Math.ceil(bytes / PAGE) + 1;
    const have = this.#memory.buffer.byteLength / PAGE;
    if (pages > have) this.#memory.grow(pages - have);
  }
}
