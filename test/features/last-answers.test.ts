import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Evaluation, flagNotFound } from '../../src/core/evaluate.js';
import { LastAnswers } from '../../src/features/last-answers.js';

const key = fc.constantFrom('a', 'aa', 'b', 'B', 'ä', 'z', '__proto__', '', '\u{1f6a9}');
const step = fc.record({ key, enabled: fc.option(fc.boolean()) });

describe('answers', () => {
  it('are those of a map, in order of the keys', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const answers = new LastAnswers();
        const map = new Map<string, Evaluation>();
        for (const { key, enabled } of steps) {
          if (enabled === null) {
            expect(answers.delete(key)).toBe(map.delete(key));
          } else {
            const answer = flagNotFound(key, enabled);
            answers.set(answer);
            map.set(key, answer);
          }
          expect(answers.get(key)).toBe(map.get(key));
        }
        expect(answers.keys()).toEqual([...map.keys()].sort());
        for (const key of answers.keys()) expect(answers.get(key)).toBe(map.get(key));
      }),
    );
  });
});
