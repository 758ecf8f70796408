// A hand-written remote server over TLS: argv[2] key, argv[3] certificate. Tells its port as one line.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [key, cert] = process.argv.slice(2, 4).map((path) => readFileSync(path));
const server = createServer({ key, cert, keepAliveTimeout: 60_000 }, (request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    if (request.method !== 'POST') return response.writeHead(405).end();
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (id === undefined) return response.writeHead(202).end();
    const hello = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      serverInfo: { name: 'plain', version: '1' },
    };
    const result =
      method === 'initialize' ? hello : { content: [{ type: 'text', text: params?.arguments?.text ?? '' }] };
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result }));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
