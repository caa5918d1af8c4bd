import { describe, expect, it } from 'vitest';
import { compileFlag, evaluate, evaluationReasons } from '../../src/core/evaluate.js';
import { createSubject } from '../../src/core/subject.js';
import { definitionIssues } from '../../src/core/values.js';
import { Draw, overrideTime, randomFlag, randomSubject } from './random-flag.js';
import { type ReferenceSubject, referenceEvaluate } from './reference-flag.js';

/** `REFERENCE_CASES=200000` compares ten times as many. */
const cases = Number(process.env['REFERENCE_CASES'] ?? 20_000);
const subjectsOfOneFlag = 10;

const subjectOf = (key: string, { override, groups, ...fields }: ReferenceSubject) =>
  createSubject({ ...fields, groups: new Set(groups), overrides: new Map(override === null ? [] : [[key, override]]) });

describe('the second implementation', () => {
  it('agrees about random flags with values, and random users and devices', () => {
    const draw = new Draw(13);
    const seen = new Map<string, number>();
    for (let count = 0; count < cases; count += subjectsOfOneFlag) {
      const definition = randomFlag(draw);
      const flag = compileFlag(definition);
      for (let each = 0; each < subjectsOfOneFlag; each++) {
        const given = randomSubject(draw);
        const answer = evaluate(flag, subjectOf(definition.key, given), overrideTime);
        const expected = referenceEvaluate(definition, given, overrideTime);
        const isSame =
          JSON.stringify(Object.entries(answer).sort()) === JSON.stringify(Object.entries(expected).sort());
        if (!isSame) expect({ definition, given, answer }).toEqual({ definition, given, answer: expected });
        seen.set(answer.reason, (seen.get(answer.reason) ?? 0) + 1);
      }
    }
    // Each step decided often.
    const rare = evaluationReasons.filter(
      reason => reason !== 'FLAG_NOT_FOUND' && (seen.get(reason) ?? 0) < cases / 100,
    );
    expect(rare).toEqual([]);
  });

  it('is asked about flags that may be written', () => {
    const draw = new Draw(14);
    for (let count = 0; count < 500; count++) {
      const definition = randomFlag(draw);
      expect({ definition, issues: definitionIssues(definition) }).toEqual({ definition, issues: [] });
    }
  });
});
