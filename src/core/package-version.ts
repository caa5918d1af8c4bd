import { readFileSync } from 'node:fs';

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = (): Manifest => JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** The version of this package. */
export function packageVersion(): string {
  return manifest().version;
}

/** The version of a package that this one is pinned to. */
export function dependencyVersion(name: string): string {
  const version = manifest().dependencies[name];
  if (version === undefined) throw new Error(`${name} is no dependency of this package.`);
  return version;
}
