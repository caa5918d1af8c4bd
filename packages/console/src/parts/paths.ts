/** The addresses of screens, below the base of the router. */
export const flagPath = (key: string) => `/flags/${encodeURIComponent(key)}`;
export const userPath = (userId: string) => `/users/${encodeURIComponent(userId)}`;
export const groupPath = (group: string) => `/groups/${encodeURIComponent(group)}`;

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
