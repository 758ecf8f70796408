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
/** What each call says, and each answer has to say again. */
export const MESSAGE = 'x'.repeat(200);

export const INITIALIZE = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'bench', version: '1' },
};

/** What a client of this era asks first. */
export function greetingText(id: number, era: Era): string {
  const asked =
    era === 'session'
      ? { method: 'initialize', params: INITIALIZE }
      : { method: 'server/discover', params: { _meta: ENVELOPE } };
  return JSON.stringify({ jsonrpc: '2.0', id, ...asked });
}

/** One tools/call of about 300 bytes. */
export function callText(id: number, era: Era, tool = 'echo'): string {
  const call = { name: tool, arguments: { message: MESSAGE } };
  const params = era === 'session' ? call : { ...call, _meta: ENVELOPE };
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params });
}
