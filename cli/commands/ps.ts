import { short } from '../../runtime/trust/root.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Command, Context } from '../command.ts';
import { type HostGateway, readGateways } from '../gateways.ts';
import { type HostInstance, readInstances } from '../instances.ts';
import { minute, plain, table } from '../output.ts';
import type { Process } from '../presence.ts';
import { sinkStates, warningsOf } from '../sinks.ts';

/** Rows on a terminal; nobody reads more. */
const SHOWN = 256;

export const ps: Command = {
  summary: 'show which servers and gateways run on this machine, and for whom',
  words: '',
  options: {},
  examples: ['lk ps', 'lk ps --json'],
  arity: [0, 0],
  async run(context) {
    const instances = await readInstances(context.home.dir);
    const gateways = await readGateways(context.home.dir);
    const rows = instances
      .slice(0, SHOWN)
      .map((one) => [
        one.alias,
        one.server,
        one.version,
        one.gone ? 'gone' : one.state,
        minute(one.since),
        one.user,
        String(one.calls),
        lockOf(one),
        pidOf(one),
      ]);
    const { red } = context.paint;
    const paint = (cell: string, column: number): string =>
      column === 3 && /^(?:gone|DEAD|QUARANTINED) *$/.test(cell) ? red(cell) : cell;
    const beyond = instances.length - rows.length;
    const more = beyond > 0 ? `\n\nand ${beyond} more: lk ps --json` : '';
    const warnings = await warningsFor(context);
    return {
      data: { count: instances.length, instances, gateways, warnings },
      text: [
        ...(gateways.length === 0 ? [] : [gatewayTable(gateways)]),
        rows.length > 0 ? `${table(HEAD, rows, paint)}${more}` : nothing(gateways),
        ...whyDead(instances),
        ...warnings.map((line) => context.paint.yellow(plain(line))),
      ].join('\n\n'),
    };
  },
};

const HEAD = ['ALIAS', 'SERVER', 'VERSION', 'STATE', 'SINCE (UTC)', 'USER', 'CALLS', 'LOCK', 'PID'];

function gatewayTable(gateways: readonly HostGateway[]): string {
  const rows = gateways.map((one) => [
    one.gone ? `${one.url} (gone)` : one.url,
    one.serves.join(', ') || '(none)',
    minute(one.since),
    lockOf(one),
    pidOf(one),
  ]);
  return table(['GATEWAY', 'SERVES', 'SINCE (UTC)', 'LOCK', 'PID'], rows);
}

/** A number of another container or machine is none of this one's. */
const pidOf = ({ pid, here }: Process): string => `${pid}${here ? '' : ' elsewhere'}`;

const lockOf = (one: { project: string; lockVersion: number; lock: string }): string =>
  `${one.project}#${one.lockVersion} ${short(one.lock)}`;

function nothing(gateways: readonly HostGateway[]): string {
  return gateways.every(({ gone }) => gone)
    ? 'Nothing runs here.'
    : 'No server runs now; a gateway starts one when it is called.';
}

/** Where to read why a server does not run. */
function whyDead(instances: readonly HostInstance[]): string[] {
  const dead = instances.find(({ state }) => state === 'DEAD' || state === 'QUARANTINED');
  return dead ? [`Why ${dead.alias} is ${dead.state}: lk audit --local --server ${dead.server}`] : [];
}

/** What people should know of the journals behind it; a configuration that is wrong hides no server. */
async function warningsFor(context: Context): Promise<string[]> {
  try {
    return warningsOf((await sinkStates(context)).states);
  } catch (error) {
    return [asLockkeeperError(error).message];
  }
}
