import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fmix32, murmur3, murmur3Plain, murmur3Premixed, premix } from '../../src/core/murmur3.js';
import { referenceFmix32, referenceMurmur3 } from './reference-hash.js';

describe('MurmurHash3_x86_32', () => {
  it.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['\0\0\0\0', 0, 0x2362f9de],
    ['\0\0\0', 0, 0x85f0b427],
    ['\0\0', 0, 0x30f4c306],
    ['\0', 0, 0x514e28b7],
    ['!Ce', 0, 0x7e4a8634],
    ['!C', 0, 0xa0f7b07a],
    ['!', 0, 0x72661cf4],
    ['abc', 0, 0xb3dd93fa],
    ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', 0, 0xee925b90],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aa', 0x9747b28c, 0x5d211726],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['abcd', 0x9747b28c, 0xf0478627],
    ['abc', 0x9747b28c, 0xc84a62dd],
    ['ab', 0x9747b28c, 0x74875592],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
    ['ππππππππ', 0x9747b28c, 0xd58063c1],
    ['a'.repeat(256), 0x9747b28c, 0x37405bdc],
  ])('has the published hash of %j under the seed %i', (text, seed, hash) => {
    expect(murmur3(text, seed)).toBe(hash);
  });

  it('is checked against a reference that passes the verification of SMHasher, 0xB0F57EE3', () => {
    const hashes = new Uint8Array(256 * 4);
    const view = new DataView(hashes.buffer);
    for (let length = 0; length < 256; length++) {
      const key = Uint8Array.from({ length }, (_, index) => index);
      view.setUint32(length * 4, referenceMurmur3(key, 256 - length), true);
    }
    expect(referenceMurmur3(hashes, 0)).toBe(0xb0f57ee3);
  });

  it('agrees with the reference on any text, lone surrogates too', () => {
    const anyText = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.uuid(),
      fc.constantFrom('\ud800', 'ab\udfff', 'é'),
    );
    fc.assert(
      fc.property(anyText, fc.integer(), (text, seed) => {
        expect(murmur3(text, seed)).toBe(referenceMurmur3(text, seed));
      }),
      { numRuns: 2_000 },
    );
  });

  it('finishes any 32-bit word as the reference does', () => {
    fc.assert(fc.property(fc.integer(), word => fmix32(word) === referenceFmix32(word)));
  });

  it('reads a lone surrogate as U+FFFD', () => {
    expect(murmur3('a\ud800b', 7)).toBe(murmur3('a\ufffdb', 7));
  });

  it('premixes a text once for all seeds', () => {
    const premixed = premix('3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a');
    for (const seed of [0, 1, -1, 0x7fffffff, 0xdeadbeef]) {
      expect(murmur3Premixed(premixed, seed)).toBe(murmur3('3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a', seed));
    }
  });

  it('hashes a plain text straight, and leaves any other to the general way', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uuid(), fc.string(), fc.string({ unit: 'binary' })), fc.integer(), (text, seed) => {
        const isPlain = [...text].every(one => (one >= ' ' && one < '@') || (one > '_' && one <= '\x7f'));
        expect(murmur3Plain(text, seed)).toBe(isPlain ? murmur3(text, seed) : -1);
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes no text with a capital letter, a control or a character beyond ASCII for plain, wherever it stands', () => {
    for (let at = 0; at < 11; at++) {
      for (const odd of 'ABCDEFXYZéšŁ€\0\n') {
        expect(murmur3Plain(`${'a'.repeat(at)}${odd}${'-'.repeat(10 - at)}`, 0)).toBe(-1);
      }
    }
    expect(murmur3Plain('0123456789-abcdefghijklmnopqrstuvwxyz', 0)).not.toBe(-1);
  });
});
