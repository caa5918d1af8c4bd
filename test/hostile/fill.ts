import { Agent, request } from 'node:http';
import { inGroups } from './groups.js';
import { bearer } from './http.js';
import type { Stage } from './stage.js';

/** More than a server keeps: it remembers up to 10,000 tokens, and 1,000 documents and answers. */
const requests = 11_000;

/** Fills what a server keeps within bounds, so that its heap can be compared with what it comes to later. */
export async function fillMemories(stage: Stage, userIds: (count: number) => readonly string[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  try {
    await inGroups(userIds(requests), 100, async userId => {
      const token = await stage.token({ userId });
      // Of the length that documents commonly have, and none like another.
      const query = `query q_${userId.replaceAll('-', '')} { viewer { ${'id role groups '.repeat(30)} } }`;
      await post(agent, stage.port, JSON.stringify({ query }), bearer(token));
    });
  } finally {
    agent.destroy();
  }
}

function post(agent: Agent, port: number, body: string, headers: Readonly<Record<string, string>>): Promise<void> {
  return new Promise((resolve, reject) => {
    const all = { 'content-type': 'application/json', 'content-length': body.length, ...headers };
    const outgoing = request({ agent, port, host: '127.0.0.1', method: 'POST', path: '/graphql', headers: all });
    outgoing.on('error', reject);
    outgoing.on('response', response => {
      response.on('error', reject);
      response.on('end', resolve);
      response.resume();
    });
    outgoing.end(body);
  });
}
