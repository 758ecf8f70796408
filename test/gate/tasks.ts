/** Tasks: what a client says of one, and what comes of one, held at every step. */
import assert from 'node:assert/strict';
import { RELATED } from '../../runtime/gate/tasks.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { inBothEras, textOf } from '../helpers/eras.ts';
import { capture, SCRIPTED } from '../helpers/session.ts';
import { DECLARED, pause, type Setup, type Talk } from './faces.ts';
import { heldRecords } from './held.ts';
import { codeOf, type Row, refused, type Trial, untouched } from './row.ts';
import { NO_QUESTIONS } from './to-client.ts';

const _meta = { 'io.modelcontextprotocol/clientCapabilities': DECLARED };
const isStateless = ({ face }: Talk): boolean => face.endsWith('stateless');
const named = ({ face }: Talk, id: string): string => (face.startsWith('all') ? `weather:${id}` : id);
const ask = (talk: Talk, method: string, params: JsonObject): Promise<JsonObject[]> =>
  talk.ask({ method, params: isStateless(talk) ? { ...params, _meta } : params });
const call = (talk: Talk, name: string, args: JsonObject, more: JsonObject = {}): Promise<JsonObject[]> =>
  ask(talk, 'tools/call', { name: talk.tool(name), arguments: args, ...more });
const act = (talk: Talk, what: string, more: JsonObject = {}): Promise<JsonObject[]> =>
  call(talk, 'act', { what }, more);
const make = (talk: Talk, id: string): Promise<JsonObject[]> =>
  act(talk, `make ${id}`, isStateless(talk) ? {} : { task: {} });
/** What its tool said in the end. */
const fetched = (talk: Talk, id: string): Promise<JsonObject[]> =>
  ask(talk, isStateless(talk) ? 'tasks/get' : 'tasks/result', { taskId: named(talk, id) });
const stateOf = (messages: JsonObject[]): unknown =>
  (messages.at(-1)?.result as JsonObject | undefined)?.status;

/** Before a server with tasks, locked with them. */
const trial =
  (run: Trial['run'], setup: Setup = {}, how = 'tasks'): Row['make'] =>
  async () => ({ setup: { how, surface: inBothEras(await capture([SCRIPTED, how])), ...setup }, run });

/** Before a server without tasks: whoever asks for one hears so, and the server does not. */
const unheard = (asks: (talk: Talk) => Promise<JsonObject[]>): Row['make'] =>
  trial(
    async (talk) => {
      await act(talk, 'first');
      const answer = (await asks(talk)).at(-1);
      assert.equal(codeOf(answer), 'METHOD_REFUSED', JSON.stringify(answer));
      await untouched(talk);
    },
    {},
    'good',
  );

/** Before one of the stateless era alone, whose client has a session and waits for what its task ends in. */
const across =
  (run: Trial['run']): Row['make'] =>
  async () => ({
    setup: { how: 'tasks', surface: await capture([SCRIPTED, 'tasks'], 'stateless') },
    run,
  });

/** Before one of the session era alone, that serves its tool as a task; its client has none. */
const back =
  (run: Trial['run']): Row['make'] =>
  async () => ({
    setup: { how: 'tasks required', surface: await capture([SCRIPTED, 'tasks required']) },
    run,
  });

const TO = { direction: 'to the server', kind: 'request' } as const;
const BACK = { direction: 'to the client', kind: 'answer' } as const;
const DECIDES = 'the server alone decides what becomes a task';
const ONE = 'one server is asked by itself';
const SAME = 'a client of its server’s era looks at the task by itself';
const NO_LIST = 'this era lists no tasks';
const SAYS = 'a session says it once, when it begins';

export const tasks: readonly Row[] = [
  {
    ...TO,
    step: 6,
    control: 'task as locked',
    absent: { 'http stateless': DECIDES, 'all, stateless': DECIDES },
    make: trial((talk) =>
      refused(talk, call(talk, 'echo', { message: 'marked' }, { task: {} }), 'METHOD_REFUSED'),
    ),
  },
  {
    ...TO,
    step: 5,
    control: 'tasks locked',
    make: unheard((talk) => ask(talk, 'tasks/get', { taskId: named(talk, 'marked') })),
  },
  {
    ...TO,
    step: 5,
    control: 'tasks of any',
    absent: { stdio: ONE, 'http session': ONE, 'http stateless': ONE },
    // It names no server, and nobody declares what is not there.
    make: unheard((talk) => talk.ask({ method: 'tasks/get', params: { taskId: 'marked' } })),
  },
  {
    ...TO,
    step: 5,
    control: 'tasks declared',
    absent: { stdio: SAYS, 'http session': SAYS, 'all, session': SAYS },
    make: trial(async (talk) => {
      await make(talk, 'one');
      const asked = talk.ask({ method: 'tasks/get', params: { taskId: named(talk, 'one') } });
      await refused(talk, asked, 'TASK_UNDECLARED', 'tasks/get');
    }),
  },
  {
    ...TO,
    step: 6,
    control: 'own task',
    make: trial(async (talk) => {
      await make(talk, 'one');
      // The server has it, and made it for somebody else.
      const asked = ask(talk, 'tasks/get', { taskId: named(talk, 'foreign') });
      await refused(talk, asked, 'TASK_UNKNOWN', 'foreign');
    }),
  },
  {
    ...TO,
    step: 7,
    control: 'task permitted as its call',
    make: () => {
      let closed = false;
      const judged: Setup['judged'] = (call) =>
        closed && JSON.stringify(call.arguments).includes('make one')
          ? { effect: 'deny', rule: 'closed meanwhile' }
          : null;
      return trial(
        async (talk) => {
          await make(talk, 'one');
          closed = true;
          await refused(talk, fetched(talk, 'one'), 'POLICY_REFUSED', 'tasks/');
        },
        { judged },
      )();
    },
  },
  {
    ...TO,
    step: 10,
    control: 'tasks not over',
    make: trial(async (talk) => {
      await Promise.all(Array.from({ length: 128 }, (_, at) => make(talk, `t${at}`)));
      await refused(talk, make(talk, 'marked'), 'RATE_LIMITED');
    }),
  },
  {
    ...BACK,
    kind: 'request',
    step: 6,
    control: 'question for an own task',
    absent: NO_QUESTIONS,
    make: trial(
      async (talk) => {
        const params = { messages: [], _meta: { [RELATED]: { taskId: 'foreign' } } };
        const question = { jsonrpc: '2.0', id: 'srv-9', method: 'sampling/createMessage', params };
        await act(talk, `tell ${JSON.stringify(question)}`);
        const refusals = await talk.records(({ kind }) => kind === 'request.refused');
        assert.deepEqual(
          refusals.map(({ direction, code }) => [direction, code]),
          [['to-client', 'TASK_UNKNOWN']],
        );
      },
      { capabilities: { sampling: {} } },
    ),
  },
  {
    ...BACK,
    step: 6,
    control: 'own tasks in a list',
    absent: { 'http stateless': NO_LIST, 'all, stateless': NO_LIST },
    make: trial(async (talk) => {
      await make(talk, 'one');
      const listed = (await ask(talk, 'tasks/list', {})).at(-1)?.result as
        | { tasks?: JsonObject[] }
        | undefined;
      assert.deepEqual(
        listed?.tasks?.map(({ taskId }) => taskId),
        [named(talk, 'one')],
      );
    }),
  },
  {
    ...BACK,
    step: 13,
    control: 'task asked for',
    make: trial(async (talk) => {
      const answer = (
        await talk.ask({
          method: 'tools/call',
          params: { name: talk.tool('act'), arguments: { what: 'make two' } },
        })
      ).at(-1);
      assert.equal(codeOf(answer), 'RESULT_INVALID', JSON.stringify(answer));
    }),
  },
  {
    ...BACK,
    step: 13,
    control: 'output schema of a task',
    make: trial(
      async (talk) => {
        await make(talk, 'unfit');
        await act(talk, 'settle unfit ends');
        const answer = (await fetched(talk, 'unfit')).at(-1);
        assert.equal(codeOf(answer), 'RESULT_INVALID', JSON.stringify(answer));
      },
      {},
      'tasks schema',
    ),
  },
  {
    ...BACK,
    step: 13,
    control: 'state of the task of a call',
    absent: { 'http stateless': SAME, 'all, stateless': SAME },
    make: across(async (talk) => {
      const answer = act(talk, 'make one');
      await act(talk, 'settle one says {"taskId":"foreign","status":"completed"}');
      const said = (await answer).at(-1);
      assert.equal(codeOf(said), 'RESULT_INVALID', JSON.stringify(said));
    }),
  },
  {
    ...TO,
    step: 11,
    control: 'journal first, the task of a call',
    absent: { 'http stateless': SAME, 'all, stateless': SAME },
    make: async () => {
      const held = heldRecords(({ kind }) => kind === 'call.round');
      const { setup, run } = await across(async (talk) => {
        const answer = act(talk, 'make one 60000 completed');
        await held.waits();
        await untouched(talk, 'tasks/');
        held.release();
        assert.equal(textOf((await answer).at(-1)), 'done one');
      })();
      return { setup: { ...setup, ...held.setup }, run };
    },
  },
  {
    ...BACK,
    step: 13,
    control: 'task that a call becomes',
    absent: { stdio: SAME, 'http session': SAME, 'all, session': SAME },
    make: back(async (talk) => {
      const answer = (await act(talk, 'make two 60000 resting')).at(-1);
      assert.equal(codeOf(answer), 'RESULT_INVALID', JSON.stringify(answer));
      await untouched(talk, 'tasks/');
    }),
  },
  {
    ...BACK,
    step: 14,
    control: 'outcome of a task recorded',
    make: trial(async (talk) => {
      await make(talk, 'one');
      await act(talk, 'settle one ends');
      assert.ok((await fetched(talk, 'one')).at(-1)?.result);
      const ends = await talk.records(({ kind }) => kind === 'task.finished');
      assert.deepEqual(
        ends.map(({ outcome }) => outcome),
        ['ok'],
      );
    }),
  },
  {
    ...TO,
    step: 3,
    control: 'life of a task',
    make: trial(async (talk) => {
      await act(talk, 'make short 1', isStateless(talk) ? {} : { task: {} });
      await pause(20);
      await refused(talk, fetched(talk, 'short'), 'TASK_UNKNOWN', 'tasks/');
      await make(talk, 'long');
      assert.equal(stateOf(await ask(talk, 'tasks/get', { taskId: named(talk, 'long') })), 'working');
    }),
  },
];
