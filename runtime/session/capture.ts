/**
 * Taking a server's surface from the raw JSON on the wire. The scanner takes it once for the lock, the runtime before
 * every session: by this one function, with the same protocol version, capabilities and client name.
 */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import {
  type Capture,
  type Era,
  KEY_OF,
  SECTIONS,
  type Section,
  type Surface,
} from '../../schemas/surface.ts';
import { CAPABILITY_OF, LIST_METHOD } from '../gate/methods.ts';
import { isObject } from '../wire/message.ts';
import type { Peer } from './peer.ts';

const CLIENT_INFO = { name: 'lockkeeper', version: '1' };
export const STATELESS_VERSION = '2026-07-28';
export const SESSION_VERSION = '2025-11-25';
/** What is offered to every server: all a client can have, so that the surface is the largest it shows. */
export const CLIENT_CAPABILITIES: JsonObject = {
  roots: { listChanged: true },
  sampling: {},
  elicitation: {},
};

const MAX_ITEMS = 10_000;
const MAX_PAGES = 1000;
const MAX_BYTES = 32 * 1024 * 1024;
const METHOD_NOT_FOUND = -32601;

export interface CaptureOptions {
  readonly era: Era;
  readonly protocolVersion: string;
  readonly clientCapabilities: JsonObject;
  readonly timeoutMs: number;
  /** Who the server is told that its client is; the product's own name unless told. */
  readonly clientInfo?: JsonObject;
}

export interface Captured {
  /** The raw result of initialize or server/discover. */
  readonly hello: JsonObject;
  readonly surface: Surface;
}

/** The `_meta` of every request in the stateless era. */
export function statelessMeta(
  clientCapabilities: JsonObject,
  clientInfo: JsonObject = CLIENT_INFO,
): JsonObject {
  return {
    'io.modelcontextprotocol/protocolVersion': STATELESS_VERSION,
    'io.modelcontextprotocol/clientCapabilities': clientCapabilities,
    'io.modelcontextprotocol/clientInfo': clientInfo,
  };
}

/** Handshake and all lists. Throws SURFACE_UNREADABLE, SERVER_SILENT or SERVER_DIED. */
export async function captureSurface(peer: Peer, options: CaptureOptions): Promise<Captured> {
  const hello = await greet(peer, options);
  const capabilities = objectOr(hello.capabilities, {});
  const sections = { tools: {}, prompts: {}, resources: {}, resourceTemplates: {} } as Record<
    Section,
    Record<string, JsonObject>
  >;
  for (const section of SECTIONS) {
    if (capabilities[CAPABILITY_OF[section]] !== undefined)
      sections[section] = await listAll(peer, section, options);
  }
  const meta = objectOr(hello._meta, {});
  const capture: Capture = {
    protocolVersion: versionOf(hello, options),
    eras: [options.era],
    clientCapabilities: options.clientCapabilities,
  };
  const surface: Surface = {
    capture,
    serverInfo: objectOr(hello.serverInfo ?? meta['io.modelcontextprotocol/serverInfo'], {}),
    capabilities,
    instructions: typeof hello.instructions === 'string' ? hello.instructions : null,
    ...sections,
    volatile: [],
  };
  return { hello, surface };
}

async function greet(peer: Peer, options: CaptureOptions): Promise<JsonObject> {
  const { clientCapabilities, timeoutMs, protocolVersion, clientInfo = CLIENT_INFO } = options;
  if (options.era === 'stateless')
    return peer.ask('server/discover', { _meta: statelessMeta(clientCapabilities, clientInfo) }, timeoutMs);
  const hello = await peer.ask(
    'initialize',
    { protocolVersion, capabilities: clientCapabilities, clientInfo },
    timeoutMs,
  );
  peer.tell('notifications/initialized');
  return hello;
}

function versionOf(hello: JsonObject, { era, protocolVersion }: CaptureOptions): string {
  if (era === 'stateless') return STATELESS_VERSION;
  return typeof hello.protocolVersion === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(hello.protocolVersion)
    ? hello.protocolVersion
    : protocolVersion;
}

function objectOr(value: Json | undefined, other: JsonObject): JsonObject {
  return isObject(value) ? value : other;
}

/** Every page of one section, keyed. Refuses double keys, endless pages and more items than anybody could review. */
export async function listAll(
  peer: Peer,
  section: Section,
  options: Pick<CaptureOptions, 'era' | 'timeoutMs' | 'clientCapabilities' | 'clientInfo'>,
): Promise<Record<string, JsonObject>> {
  const items: Record<string, JsonObject> = Object.create(null);
  const cursors = new Set<string>();
  let cursor: string | undefined;
  let count = 0;
  let pages = 0;
  let bytes = 0;
  const late = performance.now() + options.timeoutMs;
  do {
    if (++pages > MAX_PAGES) throw unreadable(section, `at most ${MAX_PAGES} pages`, 'more');
    if (performance.now() > late)
      throw unreadable(section, `an end within ${options.timeoutMs / 1000} s`, `${pages} pages and more`);
    const params: JsonObject = cursor === undefined ? {} : { cursor };
    if (options.era === 'stateless')
      params._meta = statelessMeta(options.clientCapabilities, options.clientInfo);
    const page = await peer.ask(LIST_METHOD[section], params, options.timeoutMs).catch((error: unknown) => {
      // Many servers claim resources and know no templates: a method that is not there lists nothing.
      if (isNotFound(error) && cursor === undefined) return { [section]: [] };
      throw error;
    });
    for (const item of pageItems(page, section)) {
      if (++count > MAX_ITEMS) throw unreadable(section, `at most ${MAX_ITEMS} items`, 'more');
      bytes += JSON.stringify(item).length;
      if (bytes > MAX_BYTES) throw unreadable(section, `at most ${MAX_BYTES} characters`, 'more');
      addItem(items, section, item);
    }
    cursor = typeof page.nextCursor === 'string' && page.nextCursor !== '' ? page.nextCursor : undefined;
    if (cursor !== undefined && cursors.has(cursor))
      throw unreadable(section, 'pages that end', 'one cursor again', quote(cursor, 60));
    if (cursor !== undefined) cursors.add(cursor);
  } while (cursor !== undefined);
  return items;
}

function isNotFound(error: unknown): boolean {
  const cause =
    error instanceof LockkeeperError ? (error.cause as { code?: unknown } | undefined) : undefined;
  return cause?.code === METHOD_NOT_FOUND;
}

function pageItems(page: JsonObject, section: Section): Json[] {
  const items = page[section];
  if (Array.isArray(items)) return items;
  throw unreadable(section, `a list ${section}`, 'none', quote(JSON.stringify(items ?? null), 60));
}

function addItem(items: Record<string, JsonObject>, section: Section, item: Json): void {
  const key = isObject(item) ? item[KEY_OF[section]] : undefined;
  if (!isObject(item) || typeof key !== 'string' || key === '') {
    throw unreadable(
      section,
      `a ${KEY_OF[section]} in every item`,
      'one without',
      quote(JSON.stringify(item), 100),
    );
  }
  if (key in items) throw unreadable(section, 'each name once', 'one twice', quote(key, 128));
  items[key] = item;
}

/** `shown`: what it was, in the server’s own words. */
function unreadable(
  section: Section,
  ...[expected, found, shown]: [expected: string, found: string, shown?: string]
): LockkeeperError {
  return new LockkeeperError('SURFACE_UNREADABLE', {
    expected: `${LIST_METHOD[section]}: ${expected}`,
    found,
    words: shown,
    next: 'The server breaks the protocol; use another release',
  });
}
