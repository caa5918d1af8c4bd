/** The address of the console, with a slash at its end. The server writes `<base>` into pages further down. */
export const consoleUrl = new URL('.', document.baseURI);

/** The path below which the screens are, without a slash at its end. */
export const basePath = consoleUrl.pathname.replace(/\/$/, '');

export const graphqlUrl = new URL('../graphql', consoleUrl).href;
