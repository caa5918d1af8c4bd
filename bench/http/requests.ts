import type { Requests } from './load-plan.js';
import { sign, userId } from './tokens.js';
import type { StoredUser } from './users.js';

/** How many viewers ask, each with a token of their own. */
export const viewerCount = 1_000;

export const mapQuery = '{ viewer { featureMap } }';
/** No two of its requests are the same, so that each is executed. */
const counter = '########';
const executedQuery = 'query($k: String!) { isEnabled(key: $k) viewer { featureMap } }';
export const featuresQuery = '{ viewer { features { key enabled reason } } }';

const host = 'host: 127.0.0.1';

/** A request up to its token, and the rest. */
function around(path: string, asked: object): readonly [string, string] {
  const body = JSON.stringify(asked);
  return [
    `POST ${path} HTTP/1.1\r\n${host}\r\ncontent-type: application/json\r\naccept: application/json\r\nauthorization: Bearer `,
    `\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  ];
}

/** The first thousand stored users, each with a token. */
export function viewerRequests(query: string, secret: string): Requests {
  return eachViewer(around('/graphql', { query }), secret);
}

/** The same users, who ask what nobody has asked before. */
export function executedRequests(secret: string): Requests {
  const asked = { query: executedQuery, variables: { k: counter } };
  return { ...eachViewer(around('/graphql', asked), secret), counter };
}

/** The same users, who ask for all flags over OFREP. */
export function ofrepRequests(secret: string): Requests {
  return eachViewer(around('/ofrep/v1/evaluate/flags', { context: {} }), secret);
}

function eachViewer([before, after]: readonly [string, string], secret: string): Requests & { readonly kind: 'each' } {
  const texts = Array.from({ length: viewerCount }, (_, i) => before + sign(secret, { sub: userId(i) }) + after);
  return { kind: 'each', texts };
}

/** Any of so many stored users, drawn anew for each request. */
export function drawnRequests(query: string, secret: string, users: number): Requests {
  const [beforeToken, afterToken] = around('/graphql', { query });
  return { kind: 'drawn', users, secret, beforeToken, afterToken };
}

/** The frontend API of unleash-server: it stores no users, so each request states the data that Halyard stores. */
export function unleashRequests(users: readonly StoredUser[], token: string): Requests {
  const texts = users.map(({ attributes, groups }, i) => {
    const { plan, country, seats, email, version } = attributes;
    const context = { userId: userId(i), plan, country, seats, email, version, groups: `,${groups.join(',')},` };
    const query = new URLSearchParams(Object.entries(context).map(([name, value]) => [name, String(value)]));
    return `GET /api/frontend?${query} HTTP/1.1\r\n${host}\r\naccept: application/json\r\nauthorization: ${token}\r\n\r\n`;
  });
  return { kind: 'each', texts };
}
