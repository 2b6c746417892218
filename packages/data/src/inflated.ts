/** Data that would take far more room than is plausible, or than there is. */
import { ShrinkError } from "@shrinknet/core";

/** Bytes. */
const LARGE = 2 ** 30;
const MOST = 2 ** 32;
/** Numbers that were measured are not packed tighter than this. */
const TIGHTEST = 100;

/** Throws a `data` error before anything is allocated. Sizes in bytes. */
export function checkInflated(unpacked: number, packed: number, where: string): void {
  if (unpacked <= MOST && (unpacked <= LARGE || unpacked <= packed * TIGHTEST)) return;
  const gigabytes = (unpacked / 1e9).toFixed(1);
  throw new ShrinkError(
    "data",
    `${where} unpacks to ${gigabytes} GB from ${(packed / 1e6).toFixed(1)} MB, expected at most 4 GB and no more than ${TIGHTEST} times its size. Save it with numpy.savez, or save fewer samples.`,
  );
}

/** Throws a `data` error for more bytes than one array can hold. */
export function checkRoom(bytes: number, where: string): void {
  if (bytes <= MOST) return;
  throw new ShrinkError(
    "data",
    `${where} takes ${(bytes / 1e9).toFixed(1)} GB in memory, expected at most 4 GB; take fewer samples (--samples).`,
  );
}
