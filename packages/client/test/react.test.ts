import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../../../test/support/browser.js';
import { pageScript } from './support/page-script.js';

describe.skipIf(!hasBrowser)('@halyard/client/react in a real browser', () => {
  let browser: Browser;
  let page: Page;
  /** What React or the browser complained of, by the console and by errors that nobody caught. */
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    page = await browser.newPage();
    page.on('console', message => {
      if (message.type() !== 'info') complaints.push(message.text());
    });
    page.on('pageerror', error => complaints.push(error.message));
    await page.addScriptTag({ content: await pageScript('hooks.tsx') });
  });

  afterAll(() => browser?.close());

  /** Plays a scene of `pages/hooks.tsx`; nothing may be complained of. */
  async function play(scene: string): Promise<unknown> {
    complaints.length = 0;
    const told = await page.evaluate(`scenes.${scene}`);
    expect(complaints).toEqual([]);
    return told;
  }

  it('a component renders again only when the key that it reads has another answer', async () => {
    expect(await play('perKey()')).toEqual({
      told: [
        { a: 1, value: 1, b: 1, all: 1, status: 1, text: 'a false b true value none all none connecting default' },
        { a: 2, value: 2, b: 1, all: 2, status: 2, text: 'a true b true value red all a live live' },
        { a: 2, value: 2, b: 2, all: 3, status: 2, text: 'a true b false value red all a,b live live' },
        { a: 2, value: 3, b: 2, all: 4, status: 2, text: 'a true b false value blue all a,b live live' },
        { a: 2, value: 3, b: 2, all: 5, status: 2, text: 'a true b false value blue all a,b,c live live' },
      ],
      listeners: 0,
    });
  });

  it.each(['before', 'during'])(
    'a page that a server has rendered is taken over as it is, though a change came %s',
    async when => {
      const rendered = 'a true b true value first all a,b connecting bootstrap';
      const text = 'a false b false value second all a,b,c live live';
      expect(await play(`hydration('${when}')`)).toEqual({ rendered, text, seen: [text], recovered: [] });
    },
  );

  it('a page that a server has rendered is taken over without a change of its elements', async () => {
    const rendered = 'a true b true value first all a,b connecting bootstrap';
    expect(await play("hydration('never')")).toEqual({ rendered, text: rendered, seen: [], recovered: [] });
  });

  it('a page that was rendered without bootstrap shows stored answers right after it was taken over', async () => {
    expect(await play('hydrationWithoutBootstrap()')).toEqual({
      rendered: 'a false b true value none all none connecting default',
      text: 'a true b true value stored all a live live',
      recovered: [],
    });
  });

  it('works in StrictMode, and leaves no listener behind', async () => {
    expect(await play('strictMode()')).toEqual({
      listeners: 6,
      text: 'a true b true value red all a live live',
      listenersAfter: 0,
    });
  });

  it('suspends until the first answers with use(client.ready())', async () => {
    expect(await play('suspense()')).toEqual(['waiting', 'red']);
  });

  it('without a provider the error says what to render', async () => {
    expect(await play('withoutProvider()')).toBe(
      'A hook of @halyard/client/react found no client. Render <HalyardProvider client={client}> above this component.',
    );
  });

  it('another client of the provider is followed from the same render on', async () => {
    expect(await play('anotherClient()')).toEqual({ rendered: ['first', 'second', 'third'], listeners: [0, 1] });
  });

  it('a key may change, and a fallback may be a new object in each render', async () => {
    expect(await play('inline()')).toEqual({
      texts: ['{"size":0}', '{"size":0}', '{"size":2}', '{"size":2}', '{"size":3}'],
      renders: 3,
      listeners: 1,
    });
  });
});
