/** What a server says, held at every step before the client hears of it. */
import assert from 'node:assert/strict';
import type { JsonObject } from '../../schemas/common.ts';
import { inBothEras, textOf } from '../helpers/eras.ts';
import { capture, SCRIPTED } from '../helpers/session.ts';
import type { Talk } from './faces.ts';
import { heldRecords } from './held.ts';
import { codeOf, type Row, trial } from './row.ts';

const call = (talk: Talk, name: string, args: JsonObject): Promise<JsonObject[]> =>
  talk.ask({ method: 'tools/call', params: { name: talk.tool(name), arguments: args } });
const act = (talk: Talk, what: string): Promise<JsonObject[]> => call(talk, 'act', { what });
const ASKS_NOTHING = 'a server asks nothing in this era';
export const NO_QUESTIONS = { 'http stateless': ASKS_NOTHING, 'all, stateless': ASKS_NOTHING } as const;

/** What the server does goes its way, and the client hears nothing with this word in it. */
const unheard = (what: string, word: string): Row['make'] =>
  trial(async (talk) => {
    const messages = await act(talk, what);
    assert.equal(textOf(messages.at(-1)), `did ${what}`);
    assert.ok(!JSON.stringify(messages).includes(word), JSON.stringify(messages));
  });

/** The server asks this and waits a while: the client never hears of it. */
const unasked = (method: string): Row['make'] =>
  trial(async (talk) => {
    const what = `asks ${method}`;
    const messages = await act(talk, what);
    assert.equal(textOf(messages.at(-1)), `did ${what}`);
    assert.deepEqual(
      messages.filter((message) => message.method === method),
      [],
    );
  });

const TO = { direction: 'to the client', kind: 'request' } as const;
const SECRET = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;

export const toClient: readonly Row[] = [
  {
    ...TO,
    step: 1,
    control: 'frame',
    kind: 'bytes',
    make: trial(async (talk) => {
      const params = { name: talk.tool('act'), arguments: { what: 'flood' } };
      const messages = await talk.ask({ method: 'tools/call', params });
      assert.equal(codeOf(messages.at(-1)), 'FRAME_TOO_LARGE', JSON.stringify(messages).slice(0, 500));
    }),
  },
  { ...TO, step: 2, control: 'strict parse', kind: 'bytes', make: unheard('double', '"content":[]') },
  { ...TO, step: 5, control: 'method', make: unasked('client/secrets') },
  { ...TO, step: 5, control: 'method', kind: 'notice', make: unheard('strange', 'notifications/strange') },
  {
    ...TO,
    step: 5,
    control: 'declared by the client',
    absent: NO_QUESTIONS,
    make: unasked('sampling/createMessage'),
  },
  {
    ...TO,
    step: 6,
    control: 'lists as locked',
    kind: 'answer',
    make: trial(
      async (talk) => {
        await call(talk, 'echo', { message: 'first' });
        const list = JSON.stringify(await talk.ask({ method: 'tools/list' }));
        assert.ok(list.includes('"name"') && !list.includes('shell'), list);
      },
      { how: 'extra' },
    ),
  },
  {
    ...TO,
    step: 6,
    control: 'lists unchanged',
    kind: 'answer',
    make: trial(
      async (talk) => {
        await act(talk, 'first');
        const list = JSON.stringify(await talk.ask({ method: 'tools/list' }));
        assert.ok(list.includes('act') && !list.includes('conversation along'), list);
      },
      { how: 'reworded' },
    ),
  },
  {
    ...TO,
    step: 7,
    control: 'lists as permitted',
    kind: 'answer',
    make: trial(
      async (talk) => {
        await call(talk, 'echo', { message: 'first' });
        const list = JSON.stringify(await talk.ask({ method: 'tools/list' }));
        assert.ok(list.includes('echo') && !list.includes('"Do something"'), list);
      },
      { policy: 'anyone: read tools\n' },
    ),
  },
  {
    ...TO,
    step: 11,
    control: 'journal first',
    absent: NO_QUESTIONS,
    make: () => {
      const held = heldRecords((body) => body.direction === 'to-client' && body.kind === 'request.forwarded');
      const run = async (talk: Talk): Promise<void> => {
        // The server answers the call by itself, without waiting to be answered.
        const messages = await act(talk, 'sample');
        assert.ok(!JSON.stringify(messages).includes('sampling/createMessage'), JSON.stringify(messages));
        held.release();
      };
      return { setup: { ...held.setup, capabilities: { sampling: {} } }, run };
    },
  },
  { ...TO, step: 13, control: 'bound to a question', kind: 'answer', make: unheard('noise', '"id":999,') },
  {
    ...TO,
    step: 13,
    control: 'size',
    kind: 'answer',
    make: trial(
      async (talk) => {
        const answer = (await call(talk, 'echo', { message: 'x'.repeat(4000) })).at(-1);
        assert.equal(codeOf(answer), 'RESULT_INVALID');
        assert.ok(!JSON.stringify(answer).includes('xxxx'));
      },
      { content: { maxResultBytes: 2048 } },
    ),
  },
  {
    ...TO,
    step: 13,
    control: 'output schema',
    kind: 'answer',
    make: async () => ({
      setup: { how: 'schema', surface: inBothEras(await capture([SCRIPTED, 'schema'])) },
      run: async (talk) => {
        const answer = (await call(talk, 'echo', { message: 'unfit' })).at(-1);
        assert.equal(codeOf(answer), 'RESULT_INVALID', JSON.stringify(answer));
        assert.ok(talk.reached().includes('unfit'));
      },
    }),
  },
  {
    ...TO,
    step: 13,
    control: 'secrets',
    kind: 'answer',
    make: trial(
      async (talk) => {
        const answer = (await call(talk, 'echo', { message: `the key is ${SECRET}` })).at(-1);
        assert.ok(
          talk.reached().includes(SECRET) && !JSON.stringify(answer).includes(SECRET),
          JSON.stringify(answer),
        );
      },
      { content: { secrets: 'hide' } },
    ),
  },
  {
    ...TO,
    step: 13,
    control: 'secrets',
    kind: 'notice',
    make: trial(
      async (talk) => {
        const messages = await act(talk, `say ${SECRET}`);
        assert.ok(messages.length > 0);
        assert.ok(!JSON.stringify(messages.slice(0, -1)).includes(SECRET), JSON.stringify(messages));
      },
      { content: { secrets: 'hide' } },
    ),
  },
  {
    ...TO,
    step: 14,
    control: 'outcome recorded',
    kind: 'answer',
    make: trial(async (talk) => {
      await call(talk, 'echo', { message: 'first' });
      const ends = await talk.records(
        ({ kind, method }) => kind === 'request.finished' && method === 'tools/call',
      );
      assert.deepEqual(
        ends.map(({ outcome }) => outcome),
        ['ok'],
      );
    }),
  },
];
