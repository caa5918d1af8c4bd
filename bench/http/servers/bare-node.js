// The cost of node:http itself: reads the body, parses its JSON, and always sends the same bytes. Plain JavaScript, so that
// no loader counts in its memory. ANSWER: { headers, body }, as Halyard sent them.
import { createServer } from 'node:http';

const { headers, body } = JSON.parse(process.env.ANSWER ?? '');

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.end('ok');
    return;
  }
  const chunks = [];
  request.on('data', chunk => chunks.push(chunk));
  request.on('end', () => {
    const { query } = JSON.parse(Buffer.concat(chunks).toString());
    if (typeof query === 'string') response.writeHead(200, headers).end(body);
    else response.writeHead(400).end();
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1');
