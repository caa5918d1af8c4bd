import { execFile } from 'node:child_process';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The package's Chromium is built for one platform; anywhere else tests of pages have nothing to run in. */
export const hasBrowser = process.platform === 'linux' && process.arch === 'x64';

/**
 * A headless Chromium that needs nothing of the machine but its C library: the binary, the libraries that it links and
 * the fonts come out of `@sparticuz/chromium`.
 */
export async function launchBrowser(): Promise<Browser> {
  const directory = await unpacked();
  return chromium.launch({
    executablePath: join(directory, 'chromium'),
    // As root, and in most containers, Chromium cannot make its sandbox. It is shown our own pages alone.
    chromiumSandbox: false,
    env: {
      ...process.env,
      LD_LIBRARY_PATH: join(directory, 'al2023', 'lib'),
      FONTCONFIG_FILE: join(directory, 'fonts.conf'),
    },
  });
}

/** Where the browser lies unpacked, 200 MB; done once an installation, whoever comes first. */
async function unpacked(): Promise<string> {
  const require = createRequire(import.meta.url);
  const home = join(dirname(require.resolve('@sparticuz/chromium')), '..', '..');
  const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { version: string };
  const directory = join(root, 'node_modules', '.cache', 'halyard', `chromium-${version}`);
  if (await exists(directory)) return directory;

  // Under a name of its own first, so that nobody runs half a browser.
  const draft = `${directory}.${process.pid}`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', unpack], {
    cwd: root,
    env: {
      ...process.env,
      TMPDIR: draft,
      // Only where it believes to be on Amazon's does the package unpack the libraries too.
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x',
    },
  });
  await writeFile(
    join(draft, 'fonts.conf'),
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${join(directory, 'fonts', 'fonts')}</dir><cachedir>${join(directory, 'fonts-cache')}</cachedir></fontconfig>
`,
  );
  await rename(draft, directory).catch(async error => {
    await rm(draft, { recursive: true, force: true });
    if (!(await exists(directory))) throw error;
  });
  return directory;
}

/** In a process of its own: the package takes the temporary directory for its home, and changes the environment. */
const unpack = `import chromium from '@sparticuz/chromium'; await chromium.executablePath();`;

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
