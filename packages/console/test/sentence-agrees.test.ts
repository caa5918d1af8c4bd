import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compileFlag, evaluate } from '../../../src/core/evaluate.js';
import type { JsonObject } from '../../../src/core/json.js';
import { createSubject } from '../../../src/core/subject.js';
import { attributes, conditions, groups } from '../../../test/core/arbitrary-conditions.js';
import { Draw, overrideTime, randomFlag, randomSubject } from '../../../test/core/random-flag.js';
import { lookUp, referenceMatches } from '../../../test/core/reference.js';
import { type ReferenceFlag, type ReferenceSubject, referenceBucket } from '../../../test/core/reference-flag.js';
import { audienceOf, countAtoms, isAtom, type Who, whoOf } from '../src/words/audience.js';
import { whoPhrase } from '../src/words/phrases.js';
import { plainText, sentence, shortSentence } from '../src/words/sentence.js';

const lower = (text: string | null) =>
  text !== null && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : text;

/** Whether what the sentence says of conditions holds for a user. */
function holds(who: Who, subject: ReferenceSubject): boolean {
  if (!isAtom(who)) return who.parts[who.kind === 'all' ? 'every' : 'some'](part => holds(part, subject));
  if (who.kind === 'unreadable') return false;
  const named = subject.userId === null ? [] : subject.groups;
  if (who.kind === 'groups') return who.groups.some(group => named.includes(group)) !== who.isNegated;
  const { name, operator, operand, ignoreCase, isNegated } = who;
  const wish = JSON.parse(JSON.stringify({ [operator]: operand, ...(ignoreCase ? { ignore_case: true } : {}) }));
  const test = JSON.parse(`{"attributes":{${JSON.stringify(name)}:${JSON.stringify(wish)}}}`) as JsonObject;
  const identity = { userId: lower(subject.userId), targetingKey: lower(subject.targetingKey) };
  return referenceMatches(test, subject.attributes, named, identity) !== isNegated;
}

function unitOf({ bucketBy }: ReferenceFlag, subject: ReferenceSubject): string | null {
  const [userId, targetingKey, device] = [lower(subject.userId), lower(subject.targetingKey), lower(subject.device)];
  if (bucketBy === null) return targetingKey ?? userId ?? device;
  if (bucketBy === '$id') return userId;
  if (bucketBy === '$device') return device;
  const value = lookUp(bucketBy, subject.attributes);
  return typeof value === 'number' ? JSON.stringify(value) : typeof value === 'string' && value !== '' ? value : null;
}

/** Whether the flag is on by what the sentence says. */
function said(flag: ReferenceFlag, subject: ReferenceSubject): boolean {
  const audience = audienceOf(flag);
  if (!audience.enabled) return false;
  const unit = unitOf(flag, subject);
  for (const { rule, on, percentage, who, needsUnit } of audience.clauses) {
    if (who !== null && !holds(who, subject)) continue;
    if (needsUnit && unit === null) continue;
    const name = rule === null ? flag.key : `${flag.key}/${rule}`;
    if (percentage < 100 && referenceBucket(name, unit as string) >= Math.round(percentage * 100)) continue;
    return on;
  }
  return false;
}

it('what a sentence says of random flags is what their evaluation answers', () => {
  fc.assert(
    fc.property(fc.nat(), conditions, attributes, groups, (seed, some, more, names) => {
      const draw = new Draw(seed);
      const base = randomFlag(draw);
      const flag = {
        ...base,
        conditions: draw.chance(0.4) ? some : base.conditions,
        rules: base.rules.map(rule => (draw.chance(0.4) ? { ...rule, when: some } : rule)),
      };
      const random = randomSubject(draw);
      const subject = {
        ...random,
        override: null,
        attributes: { ...random.attributes, ...more },
        groups: [...random.groups, ...names],
      };
      const { override: _none, groups: members, ...fields } = subject;
      const real = createSubject({ ...fields, groups: new Set(members), overrides: new Map() });
      expect(said(flag, subject)).toBe(evaluate(compileFlag(flag), real, overrideTime).enabled);
      for (const tell of [sentence, shortSentence]) expect(plainText(tell(flag))).toMatch(/^[A-Z0-9"]/u);
    }),
    { numRuns: 2_000, seed: 7 },
  );
});

it('a sentence tells every condition, or how many it leaves out', () => {
  fc.assert(
    fc.property(conditions, some => {
      const who = whoOf(some) as Who;
      const text = plainText(whoPhrase(who));
      const untold = Number(/(\d+)( more)? conditions? match/.exec(text)?.[1] ?? 0);
      const told = /(\d+) more condition/.test(text) && !isAtom(who) ? who.parts.filter(isAtom).length : null;
      if (untold === 0) expect(countAtoms(who)).toBeLessThanOrEqual(5);
      else if (told === null) expect(untold).toBe(countAtoms(who));
      else expect(untold + Math.min(told, 5)).toBe(countAtoms(who));
    }),
    { numRuns: 1_000, seed: 7 },
  );
});
