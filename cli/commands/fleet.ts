import { short } from '../../runtime/trust/root.ts';
import { FleetItem, FleetView } from '../../schemas/fleet.ts';
import { type Command, oneOf, option, text } from '../command.ts';
import { minute, table } from '../output.ts';

const STATES = FleetItem.properties.state.anyOf.flatMap((one) =>
  'anyOf' in one ? one.anyOf.map(({ const: word }) => word) : [one.const],
);

export const fleet: Command = {
  summary: 'show what runs on all machines, as runtimes report it',
  words: '',
  options: {
    server: option.text('only this server, by its whole name'),
    state: option.text(
      'only this state: COLD, STARTING, READY, DEGRADED, DEAD, DRAINING, QUARANTINED or unknown',
    ),
  },
  examples: ['lk fleet', 'lk fleet --server io.github.acme/weather', 'lk fleet --state unknown --json'],
  arity: [0, 0],
  async run(context, _words, values) {
    const query = { server: text(values, 'server'), state: oneOf(values, 'state', STATES) };
    const api = await context.api();
    const view = await api.call('fleet', FleetView, { query });
    const rows = view.instances.map((one) => [
      one.host,
      one.server,
      one.version,
      one.state,
      one.release ?? 'not known',
      minute(one.since),
      `${one.project}#${one.lockVersion} ${short(one.lock)}`,
      one.user,
      one.driver,
    ]);
    const head = ['HOST', 'SERVER', 'VERSION', 'STATE', 'RELEASE', 'SINCE (UTC)', 'LOCK', 'USER', 'DRIVER'];
    const { red, yellow } = context.paint;
    const paint = (cell: string, column: number): string => {
      if (column === 4 && /^(?:revoked|not known) *$/.test(cell)) return red(cell);
      return column === 3 && /^(?:unknown|DEAD|QUARANTINED) *$/.test(cell) ? yellow(cell) : cell;
    };
    const more = [
      view.more ? 'There are more: use --server or --state.' : '',
      view.unlisted > 0
        ? `And ${view.unlisted} more that runtimes keep and do not list: see lk ps there.`
        : '',
    ]
      .filter(Boolean)
      .map((line) => `\n\n${line}`)
      .join('');
    const body = rows.length === 0 ? 'Nothing runs, as far as runtimes say.' : table(head, rows, paint);
    return { data: view, text: `${body}${more}` };
  },
};
