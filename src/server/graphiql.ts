import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const defaultQuery = `# Halyard's GraphQL API. The book at the top left opens its documentation.
#
# To act as somebody, mint a token and put it under "Headers" below:
#
#   npx halyard token --admin
#   npx halyard token --user 5b0ed6f2-6f0c-4b9a-9b50-0a4f4c7f9d11
#
#   { "Authorization": "Bearer <token>" }

query MyFeatures {
  viewer {
    role
    featureMap
  }
}

# Stays open and receives what changes.
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
  createFlag(input: { key: "new_dashboard", name: "New dashboard", enabled: true, percentage: 50 }) {
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

/** The page brings everything along, so it may ask this server and nobody else. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'unsafe-inline' 'unsafe-eval' blob:",
  'worker-src blob:',
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  'font-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Whether somebody's browser wants a page, rather than a program an answer. */
export function wantsPage(request: IncomingMessage): boolean {
  return request.method === 'GET' && request.headers.accept?.includes('text/html') === true;
}

/** Makes what serves GraphiQL. The page is 9 MB, 2 MB compressed; it is made when it is first asked for. */
export function createGraphiQL(): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let page: Promise<{ readonly plain: Buffer; readonly compressed: Buffer }> | null = null;

  async function render() {
    const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
    const plain = Buffer.from(renderGraphiQL({ title: 'Halyard', defaultQuery }));
    return { plain, compressed: await promisify(gzip)(plain) };
  }

  return async (request, response) => {
    page ??= render();
    const { plain, compressed } = await page;
    const accepted = String(request.headers['accept-encoding'] ?? '').includes('gzip');
    const body = accepted ? compressed : plain;
    response.appendHeader('vary', 'Accept, Accept-Encoding');
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-length': body.byteLength,
      'content-security-policy': contentSecurityPolicy,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-cache',
      ...(accepted ? { 'content-encoding': 'gzip' } : {}),
    });
    response.end(body);
  };
}
