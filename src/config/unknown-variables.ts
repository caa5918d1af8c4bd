import { settings, tokenVariable } from './settings.js';

/** Variables that carry a prefix of ours and are no setting: most likely a typo, and a silent one would hurt. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const names: string[] = settings.map(setting => setting.name);
  return Object.keys(env)
    .filter(name => /^(FEATURE|HALYARD|AUTH)_/.test(name) && !names.includes(name) && name !== tokenVariable)
    .map(unknown => {
      const [nearest] = names
        .map(name => ({ name, distance: editDistance(unknown, name) }))
        .filter(({ distance }) => distance <= 3)
        .sort((a, b) => a.distance - b.distance);
      const hint = nearest === undefined ? '' : ` Did you mean ${nearest.name}?`;
      return `${unknown} is not a setting and is ignored.${hint}`;
    });
}

/** Levenshtein's: the least number of insertions, deletions and substitutions. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
