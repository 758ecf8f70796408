/** For each control of tasks, the composition without its call. */
import type { Mutation } from './mutations.ts';

const JUDGED = 'runtime/gate/tasks.ts';
const ALL_OFFER = 'the address of all knows from their greetings that none has tasks';
const without = (row: string, file: string, from: string, to: string): Mutation => ({
  rows: [row],
  edits: [{ file, from, to }],
});

export const taskMutations: readonly Mutation[] = [
  without(
    '6 task as locked: request to the server',
    JUDGED,
    'if (state.tasks?.makes(tool) !== true) {',
    'if (false) {',
  ),
  {
    ...without(
      '5 tasks locked: request to the server',
      JUDGED,
      'if (!tasks?.methods.has(method)) return noTasks(method);',
      '',
    ),
    still: { 'all, session': ALL_OFFER, 'all, stateless': ALL_OFFER },
  },
  without(
    '5 tasks of any: request to the server',
    'runtime/gateway/all/routes.ts',
    'if (aboutTask && !offersTasks(era, hello.capabilities[era])) throw noTasks(method);',
    '',
  ),
  without(
    '5 tasks declared: request to the server',
    JUDGED,
    "if (era === 'session' || declares(message)) return null;",
    'return null;',
  ),
  without(
    '6 own task: request to the server',
    JUDGED,
    'state.tasks?.of(params.taskId) : null;',
    "(state.tasks?.of(params.taskId) ?? { id: params.taskId, maker: { target: 'act', making: { arguments: {} } } }) : null;",
  ),
  without(
    '7 task permitted as its call: request to the server',
    'runtime/gate/gate.ts',
    'task && judgeTaskPolicy(message.method, task, state);',
    'null;',
  ),
  without(
    '10 tasks not over: request to the server',
    'runtime/gate/gate.ts',
    'if (made && !state.tasks?.hasRoom(made.bytes))',
    'if (false)',
  ),
  without(
    '3 life of a task: request to the server',
    'runtime/session/tasks.ts',
    'Math.min(ttl, MAX_LIFE_MS)',
    'MAX_LIFE_MS',
  ),
  without(
    '6 question for an own task: request to the client',
    'runtime/gate/gate.ts',
    'tasks.judgeQuestion(message, state.tasks);',
    'null;',
  ),
  without(
    '6 own tasks in a list: answer to the client',
    'runtime/session/answers.ts',
    'tasks.filter((task) => isObject(task) && owns(task.taskId ?? null))',
    'tasks',
  ),
  without(
    '13 task asked for: answer to the client',
    'runtime/session/to-client.ts',
    'judgeTaskAnswer(result, pending, x.tasks)',
    'null',
  ),
  without(
    '13 state of the task of a call: answer to the client',
    'runtime/bridge/following.ts',
    "judgeState(result, of.id, 'inlined')",
    'null',
  ),
  // It is judged twice: as it is heard of the server, and as it is told to a client that holds tasks.
  {
    rows: ['13 task that a call becomes: answer to the client'],
    edits: [
      {
        file: 'runtime/bridge/fetching.ts',
        from: 'judgeFirst(state, (id) => calls.ofTask(id) !== undefined)',
        to: 'null',
      },
      {
        file: 'runtime/gate/tasks.ts',
        from: 'return judgeFirst(made, (id) => tasks.of(id) !== null);',
        to: 'return null;',
      },
    ],
  },
  {
    rows: ['13 output schema of a task: answer to the client'],
    edits: [
      { file: 'runtime/gate/results.ts', from: "if (rule.task === 'result') return result;", to: '' },
      {
        file: 'runtime/gate/results.ts',
        from: "rule.task === 'inlined' ? toldInside(result) : undefined",
        to: 'undefined',
      },
    ],
  },
  without(
    '14 outcome of a task recorded: answer to the client',
    'runtime/session/exchange.ts',
    "this.note({ ...records.finished(this.scribe, maker, end), kind: 'task.finished' })",
    'void [maker, end]',
  ),
];
