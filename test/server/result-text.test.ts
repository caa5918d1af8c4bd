import fc from 'fast-check';
import { expect, it } from 'vitest';
import { keepText } from '../../src/core/json.js';
import { answerText } from '../../src/server/operations/result-text.js';

/** The objects that graphql makes: without a prototype, and with names of GraphQL. */
const result = fc.letrec<{ object: object; value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.jsonValue(),
    fc.string(),
    fc.date({ noInvalidDate: true }),
    fc.dictionary(fc.string(), fc.boolean()).map(map => keepText(map)),
    fc.array(tie('object')),
    tie('object'),
  ),
  object: fc
    .dictionary(fc.stringMatching(/^[_a-zA-Z][_a-zA-Z0-9]{0,8}$/), tie('value'), { maxKeys: 5 })
    .map(members => Object.assign(Object.create(null), members)),
})).object;

it('an answer is written as JSON.stringify writes it, with parts whose text is kept', () => {
  fc.assert(
    fc.property(result, data => {
      expect(answerText(data as never)).toBe(JSON.stringify({ data }));
    }),
    { numRuns: 2_000 },
  );
});

it('a part whose text is kept is not written again', () => {
  const map: Record<string, boolean> = keepText({ before: true });
  map['after'] = true;
  const data = Object.assign(Object.create(null), { map });
  expect(answerText(data)).toBe('{"data":{"map":{"before":true}}}');
});
