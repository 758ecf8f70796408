/** Servers that speak one protocol era alone, and clients of either era that answer what they are asked. */
import { join } from 'node:path';
import * as v2 from '@modelcontextprotocol/client';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { JsonObject } from '../../schemas/common.ts';
import type { Era, Surface } from '../../schemas/surface.ts';
import { type GatewaySetup, type RunningGateway, startGateway } from './gateway.ts';
import {
  capture,
  INITIALIZE,
  plainProcess,
  type Running,
  type SessionSetup,
  startSession,
} from './session.ts';

const at = (name: string): string => join(import.meta.dirname, '../servers', name);

export interface Lone {
  readonly words: readonly string[];
  readonly era: Era;
}

/** Made with the older SDK, the newer one in one of its eras, and the newer one with bad manners. */
export const OLDER: Lone = { words: [at('older.mjs')], era: 'session' };
export const STATELESS: Lone = { words: [at('conformance.mjs'), 'stdio', 'stateless'], era: 'stateless' };
export const NEWER: Lone = { words: [at('newer.mjs')], era: 'stateless' };

export const surfaceOf = ({ words, era }: Lone): Promise<Surface> => capture(words, era);

export async function sessionWith(server: Lone, setup: SessionSetup = {}): Promise<Running> {
  return startSession({
    surface: await surfaceOf(server),
    start: () => plainProcess(server.words),
    ...setup,
  });
}

/** A gateway before one or several of them, by alias. */
export async function gatewayWith(
  servers: Readonly<Record<string, Lone>>,
  setup: GatewaySetup = {},
): Promise<RunningGateway> {
  const each: Record<string, Surface> = {};
  for (const [alias, server] of Object.entries(servers)) each[alias] = await surfaceOf(server);
  const [first] = Object.values(each);
  return startGateway({
    servers: Object.fromEntries(Object.keys(servers).map((alias) => [alias, ''])),
    policy: 'everyone: everything locked\n',
    each,
    ...(first ? { captured: first } : {}),
    start: (alias) => plainProcess(servers[alias]?.words ?? []),
    ...setup,
  });
}

const INFO = { name: 'test', version: '1' };
const CAPABILITIES = { sampling: {}, elicitation: {}, roots: {} };
const ROOTS = { roots: [{ uri: 'file:///srv', name: 'srv' }] };
const SAMPLED = { role: 'assistant', model: 'none', content: { type: 'text', text: 'hi' } } as const;

/** A client of the older SDK that answers every question; `name` is what it says to forms. */
export async function olderClient(url: string, name = 'Ann'): Promise<OldClient> {
  const client = new OldClient(INFO, { capabilities: CAPABILITIES });
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
    action: 'accept',
    content: { [fieldOf(params)]: name },
  }));
  client.setRequestHandler(CreateMessageRequestSchema, () => SAMPLED);
  client.setRequestHandler(ListRootsRequestSchema, () => ROOTS);
  await client.connect(new StreamableHTTPClientTransport(new URL(url)) as Transport);
  return client;
}

/** The same of the newer SDK, in the stateless era. */
export async function newerClient(url: string, name = 'Ann'): Promise<v2.Client> {
  const client = new v2.Client(INFO, {
    capabilities: CAPABILITIES,
    versionNegotiation: { mode: { pin: '2026-07-28' } },
  });
  client.setRequestHandler('elicitation/create', ({ params }) => ({
    action: 'accept',
    content: { [fieldOf(params)]: name },
  }));
  client.setRequestHandler('sampling/createMessage', () => SAMPLED);
  client.setRequestHandler('roots/list', () => ROOTS);
  await client.connect(new v2.StreamableHTTPClientTransport(new URL(url)));
  return client;
}

/** The one field that a form asks for. */
function fieldOf(params: unknown): string {
  const { requestedSchema } = params as { requestedSchema?: { properties?: object } };
  return Object.keys(requestedSchema?.properties ?? {})[0] ?? 'name';
}

export const META = 'io.modelcontextprotocol/';

/** The envelope of a client that can be asked this. */
export function envelopeWith(capabilities: JsonObject = CAPABILITIES, more: JsonObject = {}): JsonObject {
  return {
    [`${META}protocolVersion`]: '2026-07-28',
    [`${META}clientCapabilities`]: capabilities,
    [`${META}clientInfo`]: INFO,
    ...more,
  };
}

/** A greeted session of a client that can be asked everything. */
export async function greeted(session: Running, capabilities: JsonObject = CAPABILITIES): Promise<Running> {
  await session.request(0, 'initialize', { ...INITIALIZE, capabilities });
  session.send({ method: 'notifications/initialized' });
  return session;
}

export const textOf = (answer: unknown): string | undefined => {
  const { result = answer } = (answer ?? {}) as { result?: unknown };
  return (result as { content?: { text: string }[] } | undefined)?.content?.[0]?.text;
};

/** Of a server that speaks either era. */
export const inBothEras = (surface: Surface): Surface => ({
  ...surface,
  capture: { ...surface.capture, eras: ['session', 'stateless'] },
});
