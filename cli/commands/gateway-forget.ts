import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clearRead } from '../../runtime/policy/remembered-file.ts';
import { namesIn } from '../../runtime/store/there.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Command } from '../command.ts';
import { flowsDirOf } from '../home.ts';
import { LOOK_MS } from '../runtime.ts';

export const gatewayForget: Command = {
  summary: 'forget what a user has read, so that their next session may send out again',
  words: 'USER',
  options: {},
  examples: ['lk gateway forget ada@example.com'],
  arity: [1, 1],
  async run(context, [user = '']) {
    const flowsDir = flowsDirOf(context.home);
    let forgotten = 0;
    for (const folder of await namesIn(flowsDir)) forgotten += await clearRead(join(flowsDir, folder), user);
    if (forgotten === 0)
      throw new LockkeeperError('NOT_FOUND', {
        expected: `something that ${quote(user, 200)} has read, in ${flowsDir}`,
        found: 'nothing that is remembered of them',
        next: 'Name the user as the journal does; see: lk audit',
      });
    // A process that runs may have looked a moment ago, and what is read there until it looks again is forgotten with the rest.
    await sleep(2 * LOOK_MS);
    return {
      data: { user, forgotten },
      text: `What ${user} has read counts no longer in their next sessions; those that have read it still do.`,
    };
  },
};
