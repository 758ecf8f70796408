/** What a client says, held at every step before the server hears of it. */
import assert from 'node:assert/strict';
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { until } from '../helpers/wait.ts';
import { pause, type Setup, type Talk } from './faces.ts';
import { heldRecords } from './held.ts';
import { codeOf, type Row, reaches, refused, trial, untouched } from './row.ts';

const echo = (talk: Talk, message = 'marked'): JsonObject => ({
  name: talk.tool('echo'),
  arguments: { message },
});
const act = (talk: Talk, what: string): JsonObject => ({ name: talk.tool('act'), arguments: { what } });
const call = (talk: Talk, params = echo(talk)): Promise<JsonObject[]> =>
  talk.ask({ method: 'tools/call', params });
const NO_CALLER = 'one client, which whoever started it speaks through';
const RENAMED = 'ids are replaced by our own, which are never the same';

const BROKEN = new LockkeeperError('JOURNAL_BROKEN', { expected: 'a disk', found: 'none', next: 'Find it' });
const REVOKED = {
  revokedBy: 'alice',
  reason: 'a hole',
  at: '2026-11-24T00:00:00.000Z',
  digest: `sha256:${'b'.repeat(64)}`,
  signedBy: 'alice',
  doubt: null,
  error: new LockkeeperError('RELEASE_REVOKED', {
    expected: 'a release',
    found: 'a revoked one',
    next: 'Leave it',
  }),
} as const;

const TO = { direction: 'to the server', kind: 'request' } as const;

export const toServer: readonly Row[] = [
  {
    ...TO,
    step: 1,
    control: 'frame',
    kind: 'bytes',
    make: trial(async (talk) => {
      const params = {
        name: talk.tool('echo'),
        arguments: { message: `marked${'x'.repeat(talk.limit)}` },
        ...talk.meta,
      };
      const [answer] = await talk.raw(
        JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
      );
      assert.equal(answer?.result, undefined);
      await untouched(talk);
    }),
  },
  {
    ...TO,
    step: 2,
    control: 'strict parse',
    kind: 'bytes',
    make: trial(async (talk) => {
      const params = JSON.stringify({
        name: talk.tool('echo'),
        ...talk.meta,
        arguments: { message: 'marked' },
      });
      const twice = params.replace('"message":"marked"', '"message":"marked","message":"marked"');
      await refused(
        talk,
        talk.raw(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${twice}}`),
        'JSON_INVALID',
      );
    }),
  },
  {
    ...TO,
    step: 3,
    control: 'caller',
    absent: { stdio: NO_CALLER },
    make: trial(async (talk) => {
      const asked = { method: 'tools/call', params: echo(talk), headers: { 'x-user': 'mallory' } };
      await refused(talk, talk.ask(asked), 'UNAUTHENTICATED');
    }),
  },
  {
    ...TO,
    step: 3,
    control: 'owner of the session',
    absent: { stdio: NO_CALLER, 'http stateless': 'no session', 'all, stateless': 'no session' },
    make: trial(async (talk) => {
      const asked = { method: 'tools/call', params: echo(talk), headers: { 'x-user': 'bob' } };
      await refused(talk, talk.ask(asked), 'NOT_FOUND');
    }),
  },
  {
    ...TO,
    step: 3,
    control: 'an id in use',
    absent: { 'http stateless': RENAMED, 'all, stateless': RENAMED },
    make: trial(async (talk) => {
      void talk.ask({ id: 5, method: 'tools/call', params: act(talk, 'never') });
      await reaches(talk, 'never');
      await refused(talk, talk.ask({ id: 5, method: 'tools/call', params: echo(talk) }), 'ID_DUPLICATE');
    }),
  },
  {
    ...TO,
    step: 3,
    control: 'the id of a cancelled request',
    absent: { 'http stateless': RENAMED, 'all, stateless': RENAMED },
    make: trial(async (talk) => {
      void talk.ask({ id: 5, method: 'tools/call', params: act(talk, 'never') });
      await reaches(talk, 'never');
      await talk.tell({ method: 'notifications/cancelled', params: { requestId: 5 } });
      await refused(talk, talk.ask({ id: 5, method: 'tools/call', params: echo(talk) }), 'ID_DUPLICATE');
    }),
  },
  {
    ...TO,
    step: 4,
    control: 'lock fresh',
    make: trial((talk) => refused(talk, call(talk), 'LOCK_EXPIRED'), { stale: true }),
  },
  {
    ...TO,
    step: 4,
    control: 'not revoked',
    make: () => {
      let over = false;
      const heard: ((what: typeof REVOKED) => void)[] = [];
      const watch: Setup['watch'] = (hear) => {
        if (over) hear(REVOKED);
        heard.push(hear);
        return () => undefined;
      };
      const run = async (talk: Talk): Promise<void> => {
        // What is in flight may finish: the server is still there.
        void call(talk, act(talk, 'wait 1500'));
        await reaches(talk, 'wait 1500');
        over = true;
        for (const hear of heard) hear(REVOKED);
        assert.equal((await call(talk)).at(-1)?.result, undefined);
        await untouched(talk);
      };
      return { setup: { watch, onRevoke: 'finish' }, run };
    },
  },
  {
    ...TO,
    step: 5,
    control: 'method',
    make: trial((talk) => refused(talk, talk.ask({ method: 'tools/marked' }), 'METHOD_REFUSED')),
  },
  {
    ...TO,
    step: 5,
    control: 'method',
    kind: 'notice',
    make: trial(async (talk) => {
      await call(talk, echo(talk, 'first'));
      await talk.tell({ method: 'notifications/marked' });
      const records = await talk.records(({ method }) => method === 'notifications/marked');
      assert.deepEqual(
        records.map(({ kind }) => kind),
        ['notice.refused'],
      );
      await untouched(talk);
    }),
  },
  {
    ...TO,
    step: 6,
    control: 'item locked',
    make: trial(
      async (talk) => {
        await call(talk, echo(talk, 'first'));
        await refused(
          talk,
          call(talk, { name: talk.tool('shell'), arguments: { what: 'marked' } }),
          'TOOL_REFUSED',
        );
      },
      { how: 'extra' },
    ),
  },
  {
    ...TO,
    step: 6,
    control: 'prompt locked',
    make: trial(async (talk) => {
      await call(talk, echo(talk, 'first'));
      await refused(
        talk,
        talk.ask({ method: 'prompts/get', params: { name: talk.tool('marked') } }),
        'TOOL_REFUSED',
      );
    }),
  },
  {
    ...TO,
    step: 6,
    control: 'reference locked',
    make: trial(async (talk) => {
      await call(talk, echo(talk, 'first'));
      const params = {
        ref: { type: 'ref/prompt', name: talk.tool('marked') },
        argument: { name: 'a', value: 'b' },
      };
      await refused(talk, talk.ask({ method: 'completion/complete', params }), 'TOOL_REFUSED');
    }),
  },
  {
    ...TO,
    step: 6,
    control: 'item unchanged',
    make: trial(
      async (talk) => {
        await talk.ask({ method: 'tools/call', params: act(talk, 'first') });
        await refused(talk, call(talk), 'TOOL_DRIFTED');
      },
      { how: 'reworded' },
    ),
  },
  {
    ...TO,
    step: 7,
    control: 'policy',
    make: trial((talk) => refused(talk, call(talk, act(talk, 'marked')), 'POLICY_REFUSED'), {
      policy: 'anyone: read tools\n',
    }),
  },
  {
    ...TO,
    step: 8,
    control: 'arguments',
    make: trial((talk) =>
      refused(
        talk,
        call(talk, { name: talk.tool('echo'), arguments: { message: 'marked', more: 1 } }),
        'ARGUMENTS_INVALID',
      ),
    ),
  },
  {
    ...TO,
    step: 9,
    control: 'people',
    make: trial((talk) => refused(talk, call(talk, act(talk, 'marked')), 'CALL_REJECTED'), {
      policy: 'anyone: all locked tools\nanyone: ask one person before write tools\n',
      approvals: {
        ask: async () => {
          throw new LockkeeperError('CALL_REJECTED', { expected: 'a yes', found: 'a no', next: 'Leave it' });
        },
      },
    }),
  },
  {
    ...TO,
    step: 10,
    control: 'concurrency',
    make: trial(async (talk) => {
      const params = act(talk, 'never');
      for (let n = 0; n < 256; n++) void talk.ask({ id: 1000 + n, method: 'tools/call', params });
      await until(() => talk.reached().split('never').length > 256);
      await refused(talk, call(talk), 'RATE_LIMITED');
    }),
  },
  {
    ...TO,
    step: 10,
    control: 'rate',
    make: trial(
      async (talk) => {
        await call(talk, echo(talk, 'first'));
        await refused(talk, call(talk), 'RATE_LIMITED');
      },
      { policy: 'anyone: all locked tools\nanyone: at most 1 call an hour\n' },
    ),
  },
  {
    ...TO,
    step: 11,
    control: 'journal first',
    make: () => {
      const held = heldRecords((body) => body.kind === 'request.forwarded' && body.target === 'echo');
      const run = async (talk: Talk): Promise<void> => {
        const asked = call(talk);
        await held.waits();
        await pause(150);
        await untouched(talk);
        held.release();
        assert.ok((await asked).at(-1)?.result);
        assert.ok(talk.reached().includes('marked'));
      };
      return { setup: held.setup, run };
    },
  },
  {
    ...TO,
    step: 11,
    control: 'journal first',
    kind: 'notice',
    absent: {
      'http stateless': 'a cancellation is the closing of its request',
      'all, stateless': 'a cancellation is the closing of its request',
    },
    make: () => {
      const held = heldRecords((body) => body.kind === 'notice.forwarded');
      const run = async (talk: Talk): Promise<void> => {
        void talk.ask({ id: 5, method: 'tools/call', params: act(talk, 'never') });
        await reaches(talk, 'never');
        const told = talk.tell({ method: 'notifications/cancelled', params: { requestId: 5 } });
        await held.waits();
        await pause(150);
        await untouched(talk, 'cancelled');
        held.release();
        await told;
        await reaches(talk, 'cancelled');
      };
      return { setup: held.setup, run };
    },
  },
  {
    ...TO,
    step: 11,
    control: 'journal broken',
    make: trial(
      async (talk) => {
        const answer = (await call(talk)).at(-1);
        assert.equal(codeOf(answer), 'JOURNAL_BROKEN');
        await untouched(talk);
      },
      {
        journal: (journal) => ({
          ...journal,
          append: (body) =>
            body.kind === 'request.forwarded' ? Promise.reject(BROKEN) : journal.append(body),
        }),
      },
    ),
  },
  {
    ...TO,
    step: 13,
    control: 'bound to a question',
    kind: 'answer',
    absent: {
      'http stateless': 'a server asks nothing in this era',
      'all, stateless': 'a server asks nothing in this era',
    },
    make: trial(async (talk) => {
      await call(talk, echo(talk, 'first'));
      await talk.tell({ id: 'srv-3', result: { model: 'marked' } });
      await untouched(talk);
    }),
  },
];
