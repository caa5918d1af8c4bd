export type Admin = (url: string, query: string, variables?: object) => Promise<Record<string, unknown>>;

/** Sends management calls to a node, and returns their data. Throws where one is refused. Each selection needs `... on Error { code }`. */
export function createAdmin(token: string): Admin {
  return async (url, query, variables = {}) => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data: Record<string, { code?: string }>; errors?: unknown };
    const refused = Object.values(data ?? {}).find(answer => answer.code !== undefined);
    if (errors !== undefined || refused !== undefined) throw new Error(JSON.stringify(errors ?? refused));
    return data;
  };
}
