/** The addresses of screens, below the base of the router. */
export const flagPath = (key: string) => `/flags/${encodeURIComponent(key)}`;
export const userPath = (userId: string) => placeOf('/users', 'id', userId);
export const groupPath = (group: string) => placeOf('/groups', 'name', group);

/** A path cannot end with `.` or `..`, however they are encoded: browsers take them for this folder and the one above. */
function placeOf(folder: string, parameter: string, name: string): string {
  return name === '.' || name === '..' ? `${folder}?${parameter}=${name}` : `${folder}/${encodeURIComponent(name)}`;
}

export function whyPath(userId: string, flagKey: string): string {
  return `/why?${new URLSearchParams({ user: userId, flag: flagKey })}`;
}

export const usagePath = (flagKey: string) => `/usage?${new URLSearchParams({ flag: flagKey })}`;
export const historyPath = (flagKey: string) => `/history?${new URLSearchParams({ flag: flagKey })}`;

/** The last name in the path of an address, as it was before it was encoded. */
export function nameIn(path: string): string {
  const name = path.replace(/\/$/, '').split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
