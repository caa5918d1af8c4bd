import { once } from 'node:events';
import { createServer } from 'node:net';

/** Addresses of this machine beside the one that honest clients come from; only that one where there are no others. */
export async function ownAddresses(count: number): Promise<readonly string[]> {
  const server = createServer();
  try {
    server.listen(0, '127.0.0.2');
    await once(server, 'listening');
    return Array.from({ length: Math.max(2, count) }, (_, index) => `127.0.0.${index + 2}`);
  } catch {
    return ['127.0.0.1'];
  } finally {
    server.close();
  }
}
