const mask = 0xffffffffn;
const multiply = (a: bigint, b: bigint) => (a * b) & mask;
const rotate = (value: bigint, by: bigint) => ((value << by) | (value >> (32n - by))) & mask;

/** MurmurHash3_x86_32 written a second time, byte by byte and in big integers, as its description has it. */
export function referenceMurmur3(key: Uint8Array | string, seed: number): number {
  const bytes = typeof key === 'string' ? new TextEncoder().encode(key) : key;
  const word = (part: Uint8Array) => part.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const mixed = (part: Uint8Array) => multiply(rotate(multiply(word(part), 0xcc9e2d51n), 15n), 0x1b873593n);
  let hash = BigInt(seed >>> 0);
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    hash = (multiply(rotate(hash ^ mixed(bytes.subarray(at, at + 4)), 13n), 5n) + 0xe6546b64n) & mask;
  }
  hash ^= mixed(bytes.subarray(at));
  return finish(hash ^ BigInt(bytes.length));
}

/** The finalizer of MurmurHash3. */
export function referenceFmix32(word: number): number {
  return finish(BigInt(word >>> 0));
}

function finish(word: bigint): number {
  let hash = multiply(word ^ (word >> 16n), 0x85ebca6bn);
  hash = multiply(hash ^ (hash >> 13n), 0xc2b2ae35n);
  return Number(hash ^ (hash >> 16n));
}
