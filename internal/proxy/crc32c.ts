/**
 * The checksum CRC32c. Source: RFC 4960, appendix B.
 *
 * @module
 */

/** The polynomial 0x1EDC6F41, with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** The checksums of the single bytes, computed at the first use. */
let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) {
      value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    }
    return value;
  });
}

/**
 * Returns the checksum of some bytes, as a number from 0 to 2^32 - 1.
 *
 * @param bytes The bytes.
 * @param zeroedAt The place of four bytes that count as zeros: those of the checksum itself.
 */
export function crc32c(bytes: Uint8Array, zeroedAt = Infinity): number {
  const sums = table ??= makeTable();
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) {
    const zeroed = at >= zeroedAt && at < zeroedAt + 4;
    crc = sums[(crc ^ (zeroed ? 0 : bytes[at])) & 255] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
