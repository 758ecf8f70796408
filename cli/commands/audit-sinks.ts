import { CODES } from '../../schemas/errors.ts';
import type { Command } from '../command.ts';
import { minute, table } from '../output.ts';
import { sinkStates, warningsOf } from '../sinks.ts';

export const auditSinks: Command = {
  summary: "show how far each sink has taken this machine's journals",
  words: '',
  options: {},
  examples: ['lk audit sinks', 'lk audit sinks --json'],
  arity: [0, 0],
  async run(context) {
    const { config, states } = await sinkStates(context);
    const configured = Object.entries(config.sinks).map(([name, { kind, format = 'native' }]) => ({
      name,
      kind,
      format,
    }));
    const untold = configured.filter(({ name }) => !states.some(({ sink }) => sink === name));
    const rows = [
      ...states.map((one) => [
        one.sink,
        one.journal,
        one.state,
        String(one.taken),
        String(one.behind),
        String(one.lost),
        minute(one.since),
        one.why ?? '',
      ]),
      ...untold.map(({ name, kind }) => [
        name,
        '-',
        'new',
        '0',
        '-',
        '0',
        '-',
        `${kind}: nothing was told yet`,
      ]),
    ];
    const { red } = context.paint;
    const paint = (cell: string, column: number): string =>
      column === 2 && cell.startsWith('down') ? red(cell) : cell;
    const head = ['SINK', 'JOURNAL', 'STATE', 'TAKEN', 'BEHIND', 'LOST', 'SINCE (UTC)', 'WHY'];
    const down = states.some(({ state }) => state === 'down');
    return {
      data: { configured, states, warnings: warningsOf(states) },
      text: rows.length === 0 ? 'No sink is configured (docs/audit.md).' : table(head, rows, paint),
      exit: down ? CODES.SINK_FAILED.exit : 0,
    };
  },
};
