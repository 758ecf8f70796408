/** What is said in the benchmark, the same in every way of saying it. */
import type { Era } from '../../schemas/surface.ts';

export const INFO = { name: 'plain', version: '1' };
export const ECHO_TOOL = {
  name: 'echo',
  description: 'Echo a message',
  inputSchema: {
    type: 'object',
    properties: { message: { type: 'string' } },
    required: ['message'],
    additionalProperties: false,
  },
  annotations: { readOnlyHint: true },
};

const META = 'io.modelcontextprotocol/';
const ENVELOPE = {
  [`${META}protocolVersion`]: '2026-07-28',
  [`${META}clientCapabilities`]: {},
  [`${META}clientInfo`]: { name: 'bench', version: '1' },
};
const CALL = { name: 'echo', arguments: { message: 'x'.repeat(200) } };

export const INITIALIZE = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'bench', version: '1' },
};

/** One tools/call of about 300 bytes. */
export function callText(id: number, era: Era): string {
  const params = era === 'session' ? CALL : { ...CALL, _meta: ENVELOPE };
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params });
}
