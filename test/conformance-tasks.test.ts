/** The conformance suite's scenarios of tasks, directly and through the gateway; npm run conformance prints the same. */
import { expect, it } from 'vitest';
import { judge } from './conformance/judge.ts';
import { takeTasks, taskWays } from './conformance/tasks.ts';

it('comes to the same checks of tasks through the gateway, and directly to all of them', async () => {
  // The way to one server over stdio is a part of the one to all.
  const taken = await takeTasks(taskWays.slice(1));
  const { verdicts, ok } = judge(taken, []);
  expect(verdicts.flatMap(({ way, differences }) => differences.map((one) => [way, one]))).toEqual([]);
  expect(verdicts.map(({ passed, failed, verdict }) => [passed, failed, verdict])).toEqual(
    taken.map(() => [44, 0, 'same']),
  );
  expect(ok).toBe(true);
});
