import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ann, openGraphQL, type TestGraphQL } from '../support/graphql.js';

let api: TestGraphQL;

beforeAll(async () => {
  api = await openGraphQL();
  await api.service.management.createFlag({ key: 'a', name: 'A' });
});

afterAll(() => api.close());

const set = `mutation($at: DateTime) { setOverride(input: { userId: "${ann}", flagKey: "a", enabled: true, expiresAt: $at }) {
  ... on SetOverridePayload { override { expiresAt } } ... on ValidationError { message } } }`;

describe('a time', () => {
  it.each([
    ['2999-11-28', '2999-11-28T00:00:00.000Z'],
    ['2999-11-28T10:30:00Z', '2999-11-28T10:30:00.000Z'],
    ['2999-11-28t10:30:00z', '2999-11-28T10:30:00.000Z'],
    ['2999-11-28T10:30:00.25+02:00', '2999-11-28T08:30:00.250Z'],
    ['9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59.999Z'],
    ['9999-12-31', '9999-12-31T00:00:00.000Z'],
  ])('may be written %s, in a variable and in the document', async (text, expiresAt) => {
    for (const { setOverride } of [
      await api.data(set, { at: text }),
      await api.data(set.replace('($at: DateTime)', '').replace('$at', `"${text}"`)),
    ]) {
      expect(setOverride).toEqual({ override: { expiresAt: expect.anything() } });
      expect(new Date(setOverride.override.expiresAt)).toEqual(new Date(expiresAt));
    }
  });

  it.each([
    '2 days',
    '',
    'tomorrow',
    '28.11.2999',
    '2999-11-28T10:30',
    '2999-11-28 10:30:00Z',
    '2999-02-30',
    '2999-13-01',
    '2999-02-30T00:00:00Z',
    ' 2999-11-28',
    '2999-11-28T24:30:00Z',
    '99999-01-01',
  ])('that is written %j is refused with what works', async text => {
    for (const { errors } of [
      await api.run(set, { at: text }),
      await api.run(set.replace('($at: DateTime)', '').replace('$at', JSON.stringify(text))),
    ]) {
      expect(errors?.[0]?.message).toContain(
        'Expected a time such as "2026-06-01T00:00:00Z", or a date such as "2026-06-01", which means midnight in UTC.',
      );
    }
  });

  it('of the examples works', async () => {
    for (const since of ['2026-06-01T00:00:00Z', '2026-06-01']) {
      expect(
        (await api.data('query($since: DateTime) { changes(filter: { since: $since }) { nodes { kind } } }', { since }))
          .changes.nodes,
      ).toBeInstanceOf(Array);
    }
  });

  it('of a program is a Date: a text is refused with what works', async () => {
    const call = api.service.management.setOverride({
      userId: ann,
      flagKey: 'a',
      enabled: true,
      expiresAt: '2999-11-28' as never,
    });
    await expect(call).rejects.toMatchObject({
      message: 'expiresAt: Expected a valid Date, such as new Date("2026-06-01T00:00:00Z").',
    });
  });
});
