/** Every method of both protocol eras, by direction. What is not here is refused by name. */
import type { JsonObject } from '../../schemas/common.ts';
import type { Section } from '../../schemas/surface.ts';

export interface MethodRule {
  /** Lists this section: the answer is compared with the lock. */
  readonly lists?: Section;
  /** Names one item of this section in this parameter: it must be locked and unchanged. */
  readonly item?: { readonly section: Section; readonly parameter: string };
  /** Describes the server: the answer has to be the one that was compared with the lock. */
  readonly greets?: true;
  /** About a task, or about all: what its answer brings is its state, what its tool said (inside of its state or bare), nothing. */
  readonly task?: 'state' | 'inlined' | 'result' | 'ack' | 'list';
  /** The client must have declared this capability before a server may ask. */
  readonly capability?: string;
}

type Table = Readonly<Record<string, MethodRule>>;

const COMMON: Table = {
  'tools/list': { lists: 'tools' },
  'tools/call': { item: { section: 'tools', parameter: 'name' } },
  'prompts/list': { lists: 'prompts' },
  'prompts/get': { item: { section: 'prompts', parameter: 'name' } },
  'resources/list': { lists: 'resources' },
  'resources/templates/list': { lists: 'resourceTemplates' },
  'resources/read': { item: { section: 'resources', parameter: 'uri' } },
  'completion/complete': {},
};

export const REQUESTS_TO_SERVER: Readonly<Record<'session' | 'stateless', Table>> = {
  session: {
    ...COMMON,
    ping: {},
    'logging/setLevel': {},
    'resources/subscribe': { item: { section: 'resources', parameter: 'uri' } },
    'resources/unsubscribe': { item: { section: 'resources', parameter: 'uri' } },
    'tasks/get': { task: 'state' },
    'tasks/result': { task: 'result' },
    'tasks/cancel': { task: 'state' },
    'tasks/list': { task: 'list' },
  },
  stateless: {
    ...COMMON,
    'server/discover': { greets: true },
    'subscriptions/listen': {},
    'tasks/get': { task: 'inlined' },
    'tasks/update': { task: 'ack' },
    'tasks/cancel': { task: 'ack' },
  },
};

export const NOTICES_TO_SERVER: ReadonlySet<string> = new Set([
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
]);

/** Only the session era lets a server ask its client. */
export const REQUESTS_TO_CLIENT: Table = {
  ping: {},
  'roots/list': { capability: 'roots' },
  'sampling/createMessage': { capability: 'sampling' },
  'elicitation/create': { capability: 'elicitation' },
};

export const NOTICES_TO_CLIENT: ReadonlySet<string> = new Set([
  'notifications/message',
  'notifications/progress',
  'notifications/cancelled',
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/elicitation/complete',
  'notifications/subscriptions/acknowledged',
  'notifications/tasks',
  'notifications/tasks/status',
]);

/** Notices that carry the state of a task. */
export const TASK_NOTICES: ReadonlySet<string> = new Set([
  'notifications/tasks',
  'notifications/tasks/status',
]);

/** Sections that a list_changed notice makes stale. */
export const STALE_BY: Readonly<Record<string, readonly Section[]>> = {
  'notifications/tools/list_changed': ['tools'],
  'notifications/prompts/list_changed': ['prompts'],
  'notifications/resources/list_changed': ['resources', 'resourceTemplates'],
};

export const LIST_METHOD: Readonly<Record<Section, string>> = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  resourceTemplates: 'resources/templates/list',
};

/** The capability that says a section exists. */
export const CAPABILITY_OF: Readonly<Record<Section, string>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  resourceTemplates: 'resources',
};

/** Parameter whose value `Mcp-Name` repeats, by method. */
const NAMED: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** What the header `Mcp-Name` says of a request; undefined where it says nothing. */
export function mcpNameOf(method: string, params: JsonObject): string | undefined {
  const field = Object.hasOwn(NAMED, method) ? NAMED[method] : undefined;
  const value = field === undefined ? undefined : params[field];
  return typeof value === 'string' ? value : undefined;
}
