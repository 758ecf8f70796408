// A small server over stdio with one tool, echo. With `stateless` beside it, it speaks both protocol eras; else the
// older one alone.
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

const both = existsSync(new URL('./stateless', import.meta.url));
const capabilities = { tools: {} };
const serverInfo = { name: 'echo', version: '1.0.0' };
const message = { type: 'string', description: 'What to give back' };
const tool = {
  name: 'echo',
  description: 'Gives back what it is given',
  inputSchema: {
    type: 'object',
    properties: { message },
    required: ['message'],
    additionalProperties: false,
  },
  annotations: { readOnlyHint: true },
};
const VERSIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'];
const META = 'io.modelcontextprotocol/';

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion: VERSIONS.includes(protocolVersion) ? protocolVersion : '2025-11-25',
    capabilities,
    serverInfo,
  }),
  'server/discover': () => both && { supportedVersions: ['2026-07-28'], capabilities, serverInfo },
  'tools/list': () => ({ tools: [tool] }),
  'tools/call': ({ name, arguments: given }) =>
    name === 'echo' && { content: [{ type: 'text', text: `echo: ${given.message}` }] },
  ping: () => ({}),
};

const say = (what) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...what })}\n`);

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined || method === undefined) return;
  const stateless = params._meta?.[`${META}protocolVersion`] !== undefined;
  if (stateless && both && method === 'subscriptions/listen') {
    const _meta = { [`${META}subscriptionId`]: id };
    return say({ method: 'notifications/subscriptions/acknowledged', params: { _meta, notifications: {} } });
  }
  const result = answers[method]?.(params);
  if (!result) return say({ id, error: { code: -32601, message: `no method ${method}` } });
  const kept = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' };
  say({ id, result: stateless ? { ...kept, ...result } : result });
});
