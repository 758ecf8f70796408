import { sized } from '../../scanner/text.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Command, option, text, whole } from '../command.ts';
import { minute, plain, table } from '../output.ts';
import { KEPT_BYTES, readServerLogs, type ServerLog } from '../server-logs.ts';

export const logs: Command = {
  summary: 'show what servers that were started on this machine said on stderr',
  words: '[ALIAS]',
  options: {
    user: option.text('only what was started for this person'),
    starts: option.text('so many of its newest starts (default 1)'),
  },
  examples: ['lk logs', 'lk logs filesystem', 'lk logs filesystem --starts 3 --json'],
  arity: [0, 1],
  async run(context, [alias], values) {
    const user = text(values, 'user');
    const starts = whole(values, 'starts', { verb: 'logs', most: 200, unsaid: 1 });
    const all = (await readServerLogs(context.home.dir)).filter((log) => !user || log.user === user);
    if (alias === undefined)
      return { data: { logs: all.map(({ text: _, ...log }) => log) }, text: listed(all) };
    const logs = all.filter((log) => log.alias === alias).slice(0, starts);
    if (logs.length === 0) throw unknown(alias);
    const { bold, dim } = context.paint;
    const told = logs.toReversed().map((log) => `${bold(headOf(log))}\n${saidBy(log, dim)}`);
    return { data: { logs }, text: told.join('\n\n') };
  },
};

function listed(logs: readonly ServerLog[]): string {
  if (logs.length === 0) return 'No server was started here yet: lk run ALIAS, or lk gateway.';
  const rows = logs.map((log) => [
    ...[log.alias, log.server, log.version, log.user, minute(log.started), String(log.pid)],
    log.said === 0 ? 'nothing' : sized(log.said),
  ]);
  return `${table(['ALIAS', 'SERVER', 'VERSION', 'USER', 'STARTED (UTC)', 'PID', 'SAID'], rows)}\n\nNext: lk logs ALIAS`;
}

const headOf = ({ alias, version, user, started, pid }: ServerLog): string =>
  plain(`${alias} ${version} for ${user}, started ${minute(started)} UTC by process ${pid}`);

/** Outside text, line by line: none of it acts on a terminal. */
function saidBy({ said, text: words }: ServerLog, dim: (words: string) => string): string {
  if (said === 0) return dim('It said nothing.');
  const lines = words.replace(/\r?\n$/, '').split(/\r?\n/);
  const shown = lines.map((line) => plain(line.replaceAll('\t', '    '))).join('\n');
  return said > KEPT_BYTES ? `${dim(`Of ${sized(said)}, the end:`)}\n${shown}` : shown;
}

function unknown(alias: string): LockkeeperError {
  return new LockkeeperError('NOT_FOUND', {
    expected: 'the alias of a server that was started on this machine',
    found: quote(alias, 128),
    next: 'See which were: lk logs',
  });
}
