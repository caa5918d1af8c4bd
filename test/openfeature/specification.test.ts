import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPage } from '../support/page-examples.js';
import type { TestServer } from '../support/server.js';
import { play, type Scenario, scenarios } from './specification/scenarios.js';
import { inPages, overHttp, overLibrary, type Subject, startServerWithFlags } from './specification/subjects.js';

type Place = 'library' | 'HTTP' | 'web';

/** The scenarios that Halyard answers otherwise, and why. docs/openfeature.md has the same list. */
const exceptions: readonly { readonly why: string; readonly holds: (scenario: Scenario, place: Place) => boolean }[] = [
  {
    why: 'A boolean flag that is off for everybody is DISABLED, not STATIC',
    holds: ({ name, text }) => name === 'Resolves zero value' && text.includes('"boolean-zero-flag"'),
  },
  {
    why: 'A flag that is off has its off value, not the default of the code',
    holds: ({ name, text }) => name === 'DISABLED reason' && !text.includes('"boolean-disabled-flag"'),
  },
  { why: 'No answer is CACHED', holds: ({ name }) => name === 'CACHED reason' },
  { why: 'No state is fatal', holds: ({ text }) => text.includes('a fatal provider') },
  {
    why: 'The features of a program are there before the provider',
    holds: ({ text }, place) => place === 'library' && text.includes('a error provider'),
  },
  { why: 'Flags have no metadata of their own', holds: ({ name }) => /^(Flag|Returns) metadata/.test(name) },
  { why: "The metadata has the server's reason", holds: ({ name }) => name === 'Returns no metadata' },
];

const exceptionOf = (scenario: Scenario, place: Place) => exceptions.find(({ holds }) => holds(scenario, place));

describe.each<Place>(['library', 'HTTP', 'web'])('the scenarios of the specification, %s', place => {
  let server: TestServer | null = null;
  let subject: Subject;
  beforeAll(async () => {
    if (place === 'library') subject = overLibrary();
    else {
      server = await startServerWithFlags();
      subject = place === 'HTTP' ? overHttp(server) : inPages(server);
    }
  });
  afterAll(async () => {
    await subject.close();
    await server?.close();
  });

  const cases = scenarios.map(scenario => ({ ...scenario, exception: exceptionOf(scenario, place) }));
  it.each(cases.filter(({ exception }) => exception === undefined))('pass: $file: $name: $text', async scenario => {
    await play(scenario, subject);
  });

  it.each(cases.filter(({ exception }) => exception !== undefined))('$exception.why: $text', async scenario => {
    // A step that is not known is no exception.
    const found = await play(scenario, subject).catch((error: unknown) => error);
    expect(found).toHaveProperty('name', 'AssertionError');
  });

  it('are as many as docs/openfeature.md says', () => {
    const passing = cases.filter(({ exception }) => exception === undefined).length;
    const row = `${passing} of ${cases.length}`;
    expect(readPage('docs/openfeature.md').text).toContain(row);
  });
});
