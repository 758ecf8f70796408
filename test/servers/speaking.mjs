// A real MCP server over stdio that says what it is told to: arguments hold the raw JSON of what it is to answer or say.

import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const log = process.argv[3];
const write = (line) => process.stdout.write(`${line}\n`);
const answer = (id, result) => write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`);
const raw = { type: 'object', properties: { json: { type: 'string' } }, required: ['json'] };
const tools = [
  { name: 'say', description: 'Answers what it is told', inputSchema: raw },
  {
    name: 'weigh',
    description: 'Answers what it is told, in a form',
    inputSchema: raw,
    outputSchema: {
      type: 'object',
      properties: { grams: { type: 'integer' }, note: { type: 'string', maxLength: 40 } },
      required: ['grams'],
      additionalProperties: false,
    },
  },
  { name: 'line', description: 'Says a line before it answers', inputSchema: raw },
];

createInterface({ input: process.stdin }).on('line', (text) => {
  const { id, method, params = {}, ...rest } = JSON.parse(text);
  if (method === undefined) return appendFileSync(log, `${JSON.stringify({ answer: { id, ...rest } })}\n`);
  if (method === 'initialize')
    return answer(
      id,
      JSON.stringify({
        protocolVersion: '2025-11-25',
        capabilities: { tools: {}, logging: {} },
        serverInfo: { name: 'speaking', version: '1' },
      }),
    );
  if (method === 'server/discover') {
    const _meta = { 'io.modelcontextprotocol/serverInfo': { name: 'speaking', version: '1' } };
    const said = { supportedVersions: ['2026-07-28'], capabilities: { tools: {}, logging: {} }, _meta };
    return answer(id, JSON.stringify(said));
  }
  if (method === 'tools/list') return answer(id, JSON.stringify({ tools }));
  if (method === 'tools/call') {
    const { inputResponses } = params;
    if (inputResponses) appendFileSync(log, `${JSON.stringify({ answers: inputResponses })}\n`);
    if (params.name !== 'line') return answer(id, params.arguments.json);
    write(params.arguments.json);
    return answer(id, '{"content":[]}');
  }
  if (id !== undefined) write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }));
});
