/** Says what a file is that could not be read as an ONNX model. */

const signatures: readonly (readonly [offset: number, text: string, kind: string])[] = [
  [0, "PK\x03\x04", "a zip archive (a PyTorch checkpoint, or an archive to unpack first)"],
  [0, "\x1f\x8b", "a gzip archive; unpack it first"],
  [0, "\x89HDF", "an HDF5 file (Keras); convert it to ONNX first"],
  [0, "\x80\x02", "a Python pickle (a PyTorch checkpoint); export it to ONNX first"],
  [0, "\x93NUMPY", "a NumPy array, so perhaps the data was given in place of the model"],
  [4, "TFL3", "a TensorFlow Lite model; convert it to ONNX first"],
  [4, "ORTM", "a model in onnxruntime's own .ort format; use the .onnx file that it was made from"],
  [0, "version https://git-lfs", "a Git LFS pointer; run git lfs pull to get the file itself"],
];

/** What the bytes look like; undefined where nothing is recognised. */
export function fileKind(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "an empty file";
  const head = String.fromCharCode(...bytes.subarray(0, 512));
  for (const [offset, text, kind] of signatures) if (head.startsWith(text, offset)) return kind;
  if (/^\s*<(!doctype|html|head|body)/i.test(head.replace("\xef\xbb\xbf", ""))) {
    return "an HTML page, perhaps the error page of a failed download; download the model again";
  }
  const isText = [...head].every((char) => char >= " " || "\t\r\n\f".includes(char));
  return isText && !/[\x80-\xff]{8}/.test(head) ? "a text file" : undefined;
}

/** Whether the bytes start as ONNX files do: field 1, the IR version, a small number. */
export function startsLikeModel(bytes: Uint8Array): boolean {
  const version = bytes[1] ?? 0;
  return bytes[0] === 0x08 && version > 0 && version < 0x80;
}
