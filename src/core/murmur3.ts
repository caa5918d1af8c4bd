/**
 * MurmurHash3_x86_32 by Austin Appleby, over the UTF-8 form of a text.
 *
 * The mixing of the key's blocks does not depend on the seed. So a text is premixed once, and hashing it under one
 * more seed costs a few operations a block and no memory: that is how one user is hashed for every flag.
 */
export interface Premixed {
  /** One word for each block of four bytes, then one for the up to three bytes left (0 when none are left). */
  readonly words: readonly number[];
  /** Length in bytes. */
  readonly length: number;
  /** Whether all of it is ASCII with a character from `@` to `_`, which all capital letters are. */
  readonly mayHaveCapitals: boolean;
}

const utf8 = new TextEncoder();

/** The unsigned 32-bit hash of a text under a 32-bit seed. */
export function murmur3(text: string, seed: number): number {
  return murmur3Premixed(premix(text), seed);
}

/** Does the part of the hash that is the same for all seeds. A lone surrogate counts as U+FFFD. */
export function premix(text: string): Premixed {
  const length = text.length;
  const words: number[] = [];
  const blocksEnd = length & ~3;
  let capitals = 0;
  for (let at = 0; at < blocksEnd; at += 4) {
    const a = text.charCodeAt(at);
    const b = text.charCodeAt(at + 1);
    const c = text.charCodeAt(at + 2);
    const d = text.charCodeAt(at + 3);
    if ((a | b | c | d) > 0x7f) return premixBytes(utf8.encode(text));
    const block = a | (b << 8) | (c << 16) | (d << 24);
    capitals |= block & ~(block << 1);
    words.push(premixBlock(block));
  }
  let tail = 0;
  for (let at = length - 1; at >= blocksEnd; at--) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return premixBytes(utf8.encode(text));
    tail = (tail << 8) | code;
  }
  capitals |= tail & ~(tail << 1);
  words.push(premixBlock(tail));
  return { words, length, mayHaveCapitals: (capitals & 0x40404040) !== 0 };
}

/** Finishes the hash of a premixed text under a 32-bit seed. Allocates nothing. */
export function murmur3Premixed({ words, length }: Premixed, seed: number): number {
  const blocks = words.length - 1;
  let hash = seed | 0;
  for (let index = 0; index < blocks; index++) {
    hash ^= words[index] as number;
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= words[blocks] as number;
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function premixBytes(bytes: Uint8Array): Premixed {
  const words: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) words.push(premixBlock(littleEndian(bytes, at, at + 4)));
  words.push(premixBlock(littleEndian(bytes, bytes.length & ~3, bytes.length)));
  return { words, length: bytes.length, mayHaveCapitals: false };
}

function premixBlock(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

function littleEndian(bytes: Uint8Array, start: number, end: number): number {
  let word = 0;
  for (let at = end - 1; at >= start; at--) word = (word << 8) | (bytes[at] as number);
  return word;
}
