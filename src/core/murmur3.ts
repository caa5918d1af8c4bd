/**
 * MurmurHash3_x86_32 by Austin Appleby, over the UTF-8 form of a text.
 *
 * Mixing a block of the key does not depend on the seed; only chaining the blocks does. A key that is hashed under many
 * seeds, such as a user id for every flag, is premixed once. Each further hash costs a few operations a block.
 */
export interface Premixed {
  /** One word for each block of four bytes, then one for the up to three bytes left (0 when none are left). */
  readonly words: readonly number[];
  /** Length in bytes. */
  readonly length: number;
}

const utf8 = new TextEncoder();

/** The bit, in each of four bytes, that is set in plain ASCII characters and clear in controls and capitals. */
const bit5 = 0x20202020;

/** The unsigned 32-bit hash of a text under a 32-bit seed. A lone surrogate counts as U+FFFD. */
export function murmur3(text: string, seed: number): number {
  return murmur3Premixed(premix(text), seed);
}

/** The part of the hash that is the same for all seeds. */
export function premix(text: string): Premixed {
  const bytes = utf8.encode(text);
  const words: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) words.push(mixBlock(littleEndian(bytes, at, at + 4)));
  words.push(mixBlock(littleEndian(bytes, bytes.length & ~3, bytes.length)));
  return { words, length: bytes.length };
}

/** Finishes the hash of a premixed text under a 32-bit seed. Allocates nothing. */
export function murmur3Premixed({ words, length }: Premixed, seed: number): number {
  const blocks = words.length - 1;
  let hash = seed | 0;
  for (let index = 0; index < blocks; index++) hash = chain(hash, words[index] as number);
  return finish(hash ^ (words[blocks] as number), length);
}

/**
 * The hash of a plain text, read directly from the text: faster for one seed, and allocates nothing. A plain text has only
 * ASCII characters, without controls and without the characters from `@` to `_`, such as capitals. -1 for any other text.
 */
export function murmur3Plain(text: string, seed: number): number {
  const length = text.length;
  const blocksEnd = length & ~3;
  let plain = bit5;
  let hash = seed | 0;
  for (let at = 0; at < blocksEnd; at += 4) {
    const a = text.charCodeAt(at);
    const b = text.charCodeAt(at + 1);
    const c = text.charCodeAt(at + 2);
    const d = text.charCodeAt(at + 3);
    if ((a | b | c | d) > 0x7f) return -1;
    const block = a | (b << 8) | (c << 16) | (d << 24);
    plain &= block;
    hash = chain(hash, mixBlock(block));
  }
  let tail = 0;
  for (let at = length - 1; at >= blocksEnd; at--) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return -1;
    tail = (tail << 8) | code;
  }
  plain &= tail | (bit5 << ((length - blocksEnd) * 8));
  return plain === bit5 ? finish(hash ^ mixBlock(tail), length) : -1;
}

function mixBlock(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

function chain(hash: number, mixed: number): number {
  const next = hash ^ mixed;
  return (Math.imul((next << 13) | (next >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(chained: number, length: number): number {
  return fmix32(chained ^ length);
}

/** The finalizer of MurmurHash3: each bit of the 32-bit word affects each bit of the unsigned result. */
export function fmix32(word: number): number {
  let hash = word;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function littleEndian(bytes: Uint8Array, start: number, end: number): number {
  let word = 0;
  for (let at = end - 1; at >= start; at--) word = (word << 8) | (bytes[at] as number);
  return word;
}
