const sets = 16_384;
/** Places of a set. */
const ways = 4;

/**
 * Texts that came before, as far as they are remembered: the hashes of the last 65,536 or so, in 256 kB whatever comes. Of
 * texts that never came, about one in 65,000 counts as one that did: nothing may depend on it but speed.
 *
 * Each text has four places. Where all are taken, a newcomer takes one at random: if it were always the oldest, texts that come round and
 * round could push out each other for ever.
 */
export class AskedBefore {
  readonly #hashes = new Uint32Array(sets * ways);

  /** Whether this text came before. From now on it did. */
  note(text: string): boolean {
    const hash = fnv1a(text);
    // The low bits of this hash depend on the low bits of the text alone.
    const first = ((hash ^ (hash >>> 16)) & (sets - 1)) * ways;
    let place = -1;
    for (let at = first; at < first + ways; at += 1) {
      if (this.#hashes[at] === hash) return true;
      if (this.#hashes[at] === 0) place = at;
    }
    if (place === -1) place = first + Math.floor(Math.random() * ways);
    this.#hashes[place] = hash;
    return false;
  }
}

/** FNV-1a of Fowler, Noll and Vo over the code units of a text, as an unsigned word: it allocates nothing. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
