/** lk gateway forget, beside a gateway that runs. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { gatewayForget } from '../../cli/commands/gateway-forget.ts';
import { flowsDirOf } from '../../cli/home.ts';
import { LOOK_MS } from '../../cli/runtime.ts';
import { FlowState } from '../../runtime/policy/flows.ts';
import { FlowMemories } from '../../runtime/policy/remembered.ts';
import { REMEMBERS } from '../../runtime/policy/rules.ts';
import { machine, refusal } from '../helpers/machine.ts';

it('takes away what one user has read through any registry, and says when there was nothing', async () => {
  const context = machine();
  const forget = async (user: string) => gatewayForget.run(context, [user], {});
  expect(await refusal(forget('ada'))).toMatchObject({ code: 'NOT_FOUND' });
  const cleared: string[] = [];
  const readers = ['r-1', 'r-2'].map((folder) => {
    const dir = join(flowsDirOf(context.home), folder);
    const memories = new FlowMemories({ dir, lookMs: 0, cleared: (user) => void cleared.push(user) });
    return (user: string) => new FlowState(memories.of({ user, principal: 'token' }, REMEMBERS));
  });
  const read = { untrusted: true, private: false };
  for (const reader of readers)
    for (const user of ['Ada', 'bob']) {
      const flow = reader(user);
      flow.keep(read, { call: 'c/1', what: 'web/fetch' });
      await flow.kept;
      expect(reader(user).read).toEqual({ untrusted: false, private: false });
      flow.saw(read, { call: 'c/1', what: 'web/fetch' });
      expect(reader(user).read).toEqual(read);
    }
  expect(await forget('ada')).toMatchObject({ data: { user: 'ada', forgotten: 2 } });
  for (const reader of readers) {
    expect(reader('ada').read).toEqual({ untrusted: false, private: false });
    expect(reader('bob').read).toEqual(read);
  }
  expect(cleared).toEqual(['ada', 'ada']);
  expect(await refusal(forget('ada'))).toMatchObject({ code: 'NOT_FOUND' });
});

it('has come to whoever runs once it is said: what is read from then on is remembered', async () => {
  const context = machine();
  const dir = join(flowsDirOf(context.home), 'r-1');
  const flowOf = (): FlowState =>
    new FlowState(
      new FlowMemories({ dir, lookMs: LOOK_MS }).of({ user: 'ada', principal: 'token' }, REMEMBERS),
    );
  const read = { untrusted: true, private: false };
  const running = flowOf();
  const reads = async (): Promise<void> => {
    running.keep(read, { call: 'c/1', what: 'web/fetch' });
    await running.kept;
    running.saw(read, { call: 'c/1', what: 'web/fetch' });
  };
  await reads();
  const forgotten = gatewayForget.run(context, ['ada'], {});
  // It looks, and has not heard yet.
  running.look();
  await forgotten;
  expect(flowOf().read.untrusted).toBe(false);
  await reads();
  expect(flowOf().read.untrusted).toBe(true);
});
