import { short } from '../../runtime/trust/root.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Command, Context } from '../command.ts';
import { readInstances } from '../instances.ts';
import { minute, plain, table } from '../output.ts';
import { sinkStates, warningsOf } from '../sinks.ts';

/** Rows on a terminal; nobody reads more. */
const SHOWN = 256;

export const ps: Command = {
  summary: 'show which servers run on this machine, and under which lock',
  words: '',
  options: {},
  examples: ['lk ps', 'lk ps --json'],
  arity: [0, 0],
  async run(context) {
    const instances = await readInstances(context.home.dir);
    const rows = instances
      .slice(0, SHOWN)
      .map((one) => [
        one.alias,
        one.server,
        one.version,
        one.gone ? 'gone' : one.state,
        minute(one.since),
        String(one.calls),
        `${one.project}#${one.lockVersion} ${short(one.lock)}`,
        String(one.pid),
      ]);
    const head = ['ALIAS', 'SERVER', 'VERSION', 'STATE', 'SINCE (UTC)', 'CALLS', 'LOCK', 'PID'];
    const { red } = context.paint;
    const paint = (cell: string, column: number): string =>
      column === 3 && /^(?:gone|DEAD|QUARANTINED) *$/.test(cell) ? red(cell) : cell;
    const beyond = instances.length - rows.length;
    const more = beyond > 0 ? `\n\nand ${beyond} more: lk ps --json` : '';
    const warnings = await warningsFor(context);
    const below = warnings.map((line) => `\n\n${context.paint.yellow(plain(line))}`).join('');
    return {
      data: { count: instances.length, instances, warnings },
      text: `${rows.length === 0 ? 'Nothing runs here.' : `${table(head, rows, paint)}${more}`}${below}`,
    };
  },
};

/** What people should know of the journals behind it; a configuration that is wrong hides no server. */
async function warningsFor(context: Context): Promise<string[]> {
  try {
    return warningsOf((await sinkStates(context)).states);
  } catch (error) {
    return [asLockkeeperError(error).message];
  }
}
