/** The WebAssembly inner loops, with their memory. See kernel/dense.ts for what each does. */
import { kernelBase64 } from "./kernel-wasm.ts";

/** Pointers are byte offsets into `memory`; rows hold one value per sample. */
export interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  without(out: number, zTable: number, at: number, o: number, weights: number, rows: number, samples: number): void;
  sigmoid(x: number, count: number): void;
  tanh(x: number, count: number): void;
  relu(x: number, count: number): void;
  softmax(x: number, rows: number, samples: number): void;
  dense(
    outTable: number,
    outAt: number,
    xTable: number,
    xAt: number,
    weights: number,
    bias: number,
    rows: number,
    columns: number,
    samples: number,
  ): void;
  squaredError(
    y: number,
    t: number,
    stride: number,
    weights: number,
    rows: number,
    samples: number,
    used: number,
  ): number;
  crossEntropy(y: number, t: number, stride: number, rows: number, samples: number, used: number): number;
}

/** The part of the WebAssembly interface that we use; it is a global in Node and in browsers. */
interface WebAssemblyGlobal {
  Memory: new (descriptor: { initial: number }) => Kernel["memory"];
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
  validate(bytes: Uint8Array): boolean;
}

/** A fresh instance with a memory of its own; undefined where WebAssembly SIMD is missing. */
export function loadKernel(): Kernel | undefined {
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyGlobal };
  const bytes = decodeBase64(kernelBase64);
  if (!WebAssembly?.validate(bytes)) return undefined;
  const memory = new WebAssembly.Memory({ initial: 1 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, abort: () => {} } });
  return { ...(instance.exports as Omit<Kernel, "memory">), memory };
}

function decodeBase64(text: string): Uint8Array {
  const { atob } = globalThis as unknown as { atob(text: string): string };
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
