/** The .npy format: one NumPy array in a file, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
import { bytesPerElement, type ElementType, ShrinkError, sizeOf, Tensor, transpose } from "@shrinknet/core";

/** Element types by NumPy's kind and byte count. */
const types: Readonly<Record<string, ElementType>> = {
  f2: "float16",
  f4: "float32",
  f8: "float64",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  b1: "bool",
};

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

/** Whether the bytes begin as a .npy file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return magic.every((byte, at) => bytes[at] === byte);
}

/**
 * The array in a .npy file of version 1, 2 or 3; Fortran order is turned into row-major order. `where` opens the
 * messages, as in `calib.npz: array "x"`. The tensor is a view of `bytes` where possible.
 *
 * Throws a `data` error for other contents, cut-off files, big-endian numbers, and element types that are not numbers.
 */
export function readNpy(bytes: Uint8Array, where: string): Tensor {
  const { type, dims, start, isFortran } = npyHeader(bytes, where, bytes.length);
  const tensor = new Tensor(type, isFortran ? dims.toReversed() : dims, bytes.subarray(start), { raw: true });
  return isFortran ? transpose(tensor, [...dims.keys()].reverse()) : tensor;
}

/** What the header says; `length`: bytes of the whole file, of which `bytes` are the beginning. Throws as {@link readNpy} does. */
export function npyHeader(
  bytes: Uint8Array,
  where: string,
  length: number,
): {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly start: number;
  readonly isFortran: boolean;
  /** Of all elements. */
  readonly bytes: number;
} {
  const { header, start } = readHeader(bytes, where);
  const descr = /'descr':\s*('[^']*'|\[.*?\](?=\s*[,}]))/s.exec(header)?.[1];
  const fortran = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const shape = /'shape':\s*\(([\d\sL,]*)\)/.exec(header)?.[1];
  if (descr === undefined || fortran === undefined || shape === undefined) {
    fail(where, `has the header ${header.trim().slice(0, 80)}, expected descr, fortran_order and shape`, again);
  }
  const type = elementType(descr.replaceAll("'", ""), where);
  const dims = shape.split(",").flatMap((dim) => (dim.trim() ? [Number.parseInt(dim, 10)] : []));
  const need = sizeOf(dims) * bytesPerElement(type);
  if (length - start !== need) {
    const cut = length - start < need ? "is cut short: it" : "has bytes left over: it";
    fail(
      where,
      `${cut} holds ${length - start} bytes of data, expected ${need} for ${type} [${dims.join(", ")}]`,
      again,
    );
  }
  return { type, dims, start, isFortran: fortran === "True" && dims.length > 1, bytes: need };
}

/** A .npy file (version 1, row-major order) that holds the tensor. Throws a `data` error for bfloat16: NumPy has none. */
export function writeNpy(tensor: Tensor): Uint8Array {
  const code = Object.keys(types).find((key) => types[key] === tensor.type);
  if (!code) throw new ShrinkError("data", `.npy cannot hold ${tensor.type}, expected a NumPy type. Convert it first.`);
  const order = bytesPerElement(tensor.type) === 1 ? "|" : "<";
  const dims = tensor.dims.join(", ") + (tensor.dims.length === 1 ? "," : "");
  const dict = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${dims}), }`;
  const start = Math.ceil((10 + dict.length + 1) / 64) * 64; // data begin on a multiple of 64 bytes
  const bytes = new Uint8Array(start + tensor.byteLength);
  bytes.set([...magic, 1, 0, (start - 10) & 255, (start - 10) >> 8]);
  bytes.set(new TextEncoder().encode(`${dict.padEnd(start - 11)}\n`), 10);
  bytes.set(tensor.bytes, start);
  return bytes;
}

const again = "Save it again with numpy.save or numpy.savez";

function readHeader(bytes: Uint8Array, where: string): { header: string; start: number } {
  if (!isNpy(bytes)) {
    const found = [...bytes.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    fail(where, `begins with the bytes ${found || "(none)"}, expected 93 4e 55 4d 50 59 of a NumPy array`, again);
  }
  const version = bytes[6] ?? 0;
  if (bytes.length > 6 && (version < 1 || version > 3)) {
    fail(where, `has .npy version ${version}, expected 1, 2 or 3`, again);
  }
  const from = version === 1 ? 10 : 12;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < from ? Number.NaN : version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (!(from + length <= bytes.length)) {
    fail(where, `is cut short: it ends within the header, after ${bytes.length} bytes`, again);
  }
  const start = from + length;
  return {
    header: new TextDecoder().decode(bytes.subarray(from, start)),
    start,
  };
}

function elementType(descr: string, where: string): ElementType {
  const [order = "", code] = [descr.slice(0, 1), descr.slice(1)];
  const type = Object.hasOwn(types, code) ? types[code] : undefined;
  const advice = "Convert it with .astype('float32') or .astype('int64') before saving";
  if (code.startsWith("O")) fail(where, "holds Python objects, expected an array of numbers", advice);
  if (!type || !"<>|=".includes(order)) {
    fail(where, `has dtype ${descr}, expected numbers: float16/32/64, int8..64, uint8..64 or bool`, advice);
  }
  if (order === ">" && bytesPerElement(type) > 1) {
    fail(where, `holds big-endian numbers (dtype ${descr}), expected little-endian`, advice);
  }
  return type;
}

function fail(where: string, problem: string, advice: string): never {
  throw new ShrinkError("data", `${where} ${problem}. ${advice}.`);
}
