/** The suite's scenarios of the tasks extension, before a server that has it: by itself, and through the gateway. */
import { join } from 'node:path';
import type { Way } from './command.ts';
import { openFixture } from './hops.ts';
import { TASKS_DIRECT, type Taken } from './judge.ts';
import { runScenarios } from './suite.ts';
import { openAll, openRemoteGateway, stdioGateway } from './ways.ts';

const FIXTURE = join(import.meta.dirname, '../servers/conformance-tasks.mjs');
const REVISION = '2026-07-28';

const SCENARIOS = [
  'tasks-lifecycle',
  'tasks-mrtr-input',
  'tasks-dispatch-and-envelope',
  'tasks-wire-fields',
  'tasks-capability-negotiation',
  'tasks-request-headers',
  'tasks-request-state-removal',
  'tasks-required-task-error',
  'tasks-mrtr-composition',
  'tasks-status-notifications',
];

const toStdio = (): ReturnType<typeof stdioGateway> => stdioGateway('stateless', FIXTURE);

export const taskWays: readonly Way[] = [
  {
    name: 'tasks by gateway to stdio',
    open: async () => {
      const gateway = await toStdio();
      return { url: `${gateway.url}/servers/conformance/mcp`, close: () => gateway.close() };
    },
  },
  { name: 'tasks by gateway to http', open: (direct) => openRemoteGateway(direct, 'stateless') },
  { name: 'tasks by gateway to all', open: async () => openAll(await toStdio()) },
];

/** Directly and by each way, all at once: most of their time, tasks are waited for. */
export async function takeTasks(
  chosen: readonly Way[],
  say: (line: string) => void = () => undefined,
): Promise<Taken[]> {
  const fixture = await openFixture(FIXTURE);
  try {
    const direct: Way = {
      name: TASKS_DIRECT,
      open: async (url) => ({ url, close: async () => undefined }),
    };
    return await Promise.all(
      [direct, ...chosen].map(async (way) => {
        const hop = await way.open(fixture.url);
        try {
          say(`${way.name}: ${REVISION}`);
          return { way: way.name, revision: REVISION, run: await runScenarios(hop.url, SCENARIOS, REVISION) };
        } finally {
          await hop.close();
        }
      }),
    );
  } finally {
    await fixture.close();
  }
}
