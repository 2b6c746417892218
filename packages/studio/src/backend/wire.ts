/** Messages between the page and the local server as bytes: plain data, arrays of bytes, and errors with their sentence. */
import { decode, ExtensionCodec, encode } from "@msgpack/msgpack";

const extensionCodec = new ExtensionCodec();
extensionCodec.register({
  type: 1,
  encode: (value) => (value instanceof Error ? encode(value.message) : null),
  decode: (bytes) => new Error(decode(bytes) as string),
});

export function toBytes(message: unknown): Uint8Array {
  return encode(message, { extensionCodec, ignoreUndefined: true });
}

export function fromBytes(bytes: ArrayBuffer | Uint8Array): unknown {
  return decode(bytes, { extensionCodec });
}
