import type { GraphiQLOptions } from 'graphql-yoga';
import type { Route } from '../http/route.js';
import { StaticFile } from '../http/static-file.js';

const query = `# Halyard's GraphQL API. The book at the top left
# opens its documentation.
#
# To act as an admin, mint a token and put it under
# "Headers" below:
#
#   npx halyard token --admin
#
#   { "Authorization": "Bearer <token>" }
#
# Someone else: npx halyard token --help

query MyFeatures {
  viewer {
    role
    featureMap
  }
}

# Stays open and receives what changes. Leave it
# running and change something in another window.
subscription Watch {
  viewerFeatures {
    revision
    snapshot
    featureMap
    removed
  }
}

# Needs an admin token.
mutation CreateFlag {
  createFlag(
    input: {
      key: "new_dashboard"
      name: "New dashboard"
      enabled: true
    }
  ) {
    ... on CreateFlagPayload {
      flag {
        key
        enabled
        percentage
        version
      }
    }
    ... on Error {
      code
      message
      path
    }
  }
}
`;

/** A flag on its halyard. */
const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M8 3v26" stroke="#3b4b68" stroke-width="3" stroke-linecap="round"/><path d="M11 5h17l-5 6 5 6H11z" fill="#d60690"/></svg>`;
const favicon = `data:image/svg+xml,${encodeURIComponent(logo)}`;

/** The page contains all its files, so it may send requests only to this server. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'unsafe-inline' blob:",
  'worker-src blob:',
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  'font-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const options: GraphiQLOptions & { readonly query: string } = {
  title: 'Halyard',
  logo,
  favicon,
  // Not as `defaultQuery`: with that alone GraphiQL opens one more, empty, tab at each reload.
  query,
  defaultEditorToolsVisibility: 'headers',
};

/** Makes the function that serves GraphiQL to browsers. The page is 9 MB, 2 MB compressed; it is made when it is first asked for. */
export function createGraphiQLRoute(path: string): Route {
  let page: Promise<StaticFile> | null = null;

  async function render(): Promise<StaticFile> {
    const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
    return new StaticFile(Buffer.from(renderGraphiQL(options)), 'text/html; charset=utf-8', {
      'content-security-policy': contentSecurityPolicy,
      'cache-control': 'no-cache',
    });
  }

  return {
    path,
    method: 'read',
    caller: 'anybody',
    // A browser wants a page, a program an answer.
    fits: ({ method, headers }) => method === 'GET' && headers.accept?.includes('text/html') === true,
    async handle({ request, response }) {
      page ??= render().catch(error => {
        page = null;
        throw error;
      });
      response.appendHeader('vary', 'Accept');
      await (await page).send(request, response);
    },
  };
}
