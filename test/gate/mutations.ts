/** For each control, the composition without its call: what the table has to notice. */
import type { FaceName } from './faces.ts';
import { taskMutations } from './task-mutations.ts';

export interface Edit {
  readonly file: string;
  /** Stands in the file, once or more often. */
  readonly from: string;
  readonly to: string;
}

export interface Mutation {
  /** Rows that have to break, by name. */
  readonly rows: readonly string[];
  readonly edits: readonly Edit[];
  /** Faces that hold all the same, and by what. */
  readonly still?: Partial<Record<FaceName, string>>;
}

const ITEMS = 'runtime/gate/items.ts';
const GATE = 'runtime/gate/gate.ts';
const TO_SERVER = 'runtime/session/to-server.ts';
const TO_CLIENT = 'runtime/session/to-client.ts';
const edit = (file: string, from: string, to = ''): Edit => ({ file, from, to });

const NAMES = 'names that no server has are not routed';
const OWN_BINDING = 'an answer goes to the request that waits under its id, and to nobody else';

export const mutations: readonly Mutation[] = [
  ...taskMutations,
  {
    rows: ['1 frame: bytes to the server'],
    edits: [
      edit(
        'runtime/gateway/guard.ts',
        "if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);",
      ),
      edit('runtime/gateway/guard.ts', 'if (held.bytes > limit) return refuse(tooLarge(limit));'),
      edit('runtime/session/client.ts', 'readLines(this.#input, LINE_BYTES,', 'readLines(this.#input, 1e9,'),
    ],
  },
  {
    rows: ['2 strict parse: bytes to the server', '2 strict parse: bytes to the client'],
    edits: [
      edit(
        'runtime/wire/message.ts',
        'parseStrict(bytes, { maxDepth: DEPTH, maxBytes: bytes.length, lenient, ...bound })',
        'JSON.parse(String(bytes))',
      ),
    ],
  },
  {
    rows: ['3 caller: request to the server'],
    edits: [
      edit(
        'runtime/gateway/server.ts',
        'await this.#o.identify(request)',
        "{ caller: { user: 'x', teams: [], via: 'token', actors: [] }, servers: null, principal: 'x', expires: null }",
      ),
    ],
  },
  {
    rows: ['3 owner of the session: request to the server'],
    edits: [
      edit('runtime/gateway/table.ts', 'session?.owner !== owner || session.path !== path', '!session'),
    ],
  },
  {
    rows: ['3 an id in use: request to the server'],
    edits: [
      edit(GATE, "message.kind === 'request' && state.fromClient.has(idKey(message.id))", 'false'),
      edit('runtime/gateway/session.ts', 'if (this.#waiting.has(key)) throw duplicate();'),
    ],
  },
  {
    rows: ['3 the id of a cancelled request: request to the server'],
    edits: [edit(TO_SERVER, "message.kind === 'request' && this.over.has(wire.idKey(message.id))", 'false')],
  },
  {
    rows: ['4 lock fresh: request to the server'],
    edits: [edit(GATE, 'state.now() >= state.lockExpires', 'false')],
  },
  {
    rows: ['4 not revoked: request to the server'],
    edits: [
      edit(
        'runtime/session/relay.ts',
        'const revoked = this.exchange.sealedTo(message);',
        'const revoked = null;',
      ),
      edit(TO_SERVER, 'if (!x.sealed) {', 'if (true) {'),
      edit('runtime/session/quarantine.ts', 'relay.seal(', 'void ('),
    ],
  },
  {
    rows: ['5 method: request to the server'],
    edits: [
      edit(
        GATE,
        'const rule = own(REQUESTS_TO_SERVER[era], message.method);',
        'const rule = own(REQUESTS_TO_SERVER[era], message.method) ?? {};',
      ),
    ],
    still: { 'all, session': NAMES, 'all, stateless': NAMES },
  },
  {
    rows: ['5 method: notice to the server'],
    // What serves all servers refuses before any of them is asked.
    edits: [
      edit(GATE, 'if (!NOTICES_TO_SERVER.has(message.method))', 'if (false)'),
      edit('runtime/gateway/all/all.ts', 'if (NOTICES_TO_SERVER.has(method))', 'if (true)'),
    ],
  },
  {
    rows: ['6 item locked: request to the server', '6 prompt locked: request to the server'],
    edits: [edit(GATE, 'if (itemError) return refuse(itemError, target);')],
    still: { 'all, session': NAMES, 'all, stateless': NAMES },
  },
  {
    rows: ['6 reference locked: request to the server'],
    edits: [edit(GATE, 'judgeReference(message, state) ??')],
    still: { 'all, session': NAMES, 'all, stateless': NAMES },
  },
  {
    rows: ['6 item unchanged: request to the server'],
    edits: [
      edit(ITEMS, "if (standing === 'locked') return null;", "if (standing !== 'unknown') return null;"),
    ],
  },
  {
    rows: ['7 policy: request to the server'],
    edits: [edit(GATE, 'if (judged?.error) return refuse(judged.error, target, judged);')],
  },
  {
    rows: ['8 arguments: request to the server'],
    edits: [edit(GATE, 'if (error) return refuse(error, target, judged);')],
  },
  {
    rows: ['9 people: request to the server'],
    edits: [edit(TO_SERVER, 'if (verdict.ask) this.#asking', 'if (false) this.#asking')],
  },
  {
    rows: ['10 concurrency: request to the server'],
    edits: [edit(GATE, 'if (state.fromClient.size >= MAX_IN_FLIGHT)', 'if (false)')],
  },
  {
    rows: ['10 rate: request to the server'],
    edits: [edit(GATE, 'if (often?.error)', 'if (false)')],
  },
  {
    rows: ['10 rate: request to the server'],
    edits: [edit(TO_SERVER, 'judgeRate(message, verdict.rule, { state, count: true });')],
  },
  {
    rows: [
      '11 journal first: request to the server',
      '11 journal first: notice to the server',
      '11 journal broken: request to the server',
      '11 journal first: request to the client',
      '11 journal first, the task of a call: request to the server',
    ],
    edits: [
      edit(
        'runtime/session/exchange.ts',
        ': journal.append(body)).then(effect);',
        ': journal.append(body)).then(() => undefined); effect();',
      ),
    ],
  },
  {
    rows: ['13 bound to a question: answer to the server'],
    edits: [
      edit(
        TO_SERVER,
        'boundTo(message, x.fromServer);',
        "boundTo(message, x.fromServer) ?? { id: message.id, method: 'x', rule: {}, call: 'x', since: 0 };",
      ),
    ],
    still: {
      'all, session': 'questions of several servers have ids of our own, and none is known by this one',
    },
  },
  {
    rows: ['1 frame: bytes to the client'],
    edits: [
      edit(
        'runtime/session/peer.ts',
        'readLines(process.stdout, SERVER_LINE_BYTES,',
        'readLines(process.stdout, 1e9,',
      ),
    ],
  },
  {
    rows: ['5 method: request to the client'],
    edits: [
      edit(
        GATE,
        "state.era === 'session' ? own(REQUESTS_TO_CLIENT, message.method) : undefined",
        'own(REQUESTS_TO_CLIENT, message.method) ?? {}',
      ),
    ],
  },
  {
    rows: ['5 method: notice to the client'],
    edits: [edit(GATE, 'return NOTICES_TO_CLIENT.has(message.method)', 'return true')],
  },
  {
    rows: ['5 declared by the client: request to the client'],
    edits: [edit(GATE, 'missing !== null', 'false')],
  },
  {
    rows: ['6 lists as locked: answer to the client', '6 lists unchanged: answer to the client'],
    // What is permitted is locked as well: for a tool that is not, both have to go.
    edits: [
      edit(
        'runtime/session/answers.ts',
        'sees ? privately(seen(section, page.result, sees)) : page.result',
        'page.result',
      ),
      edit(
        'runtime/session/answers.ts',
        'inOneWay(message) ? filterPage(section, message.result, live) : null',
        '{ result: message.result, drifts: [] }',
      ),
    ],
  },
  {
    rows: ['7 lists as permitted: answer to the client'],
    edits: [
      edit(
        'runtime/session/answers.ts',
        'sees ? privately(seen(section, page.result, sees)) : page.result',
        'page.result',
      ),
    ],
  },
  {
    rows: ['13 bound to a question: answer to the client'],
    edits: [
      edit(
        GATE,
        'pending.get(idKey(message.id));',
        'pending.get(idKey(message.id)) ?? [...pending.values()][0];',
      ),
    ],
    still: {
      'http session': OWN_BINDING,
      'http stateless': OWN_BINDING,
      'all, session': OWN_BINDING,
      'all, stateless': OWN_BINDING,
    },
  },
  {
    rows: [
      '13 size: answer to the client',
      '13 output schema: answer to the client',
      '13 secrets: answer to the client',
    ],
    edits: [edit(TO_CLIENT, 'x.content.answer(message, pending)', '{ message, found: [], error: null }')],
  },
  {
    rows: ['13 secrets: notice to the client'],
    edits: [
      edit(TO_CLIENT, 'x.content.said(message)', '{ message, found: [], error: null }'),
      edit(TO_CLIENT, 'x.content.said(message, task?.maker.target)', '{ message, found: [], error: null }'),
    ],
  },
  {
    rows: ['14 outcome recorded: answer to the client'],
    edits: [edit(TO_CLIENT, 'x.finished(pending, records.endOf(message, error));')],
  },
];
