import { join, resolve } from 'node:path';
import { addToken, listTokens, removeToken } from '../../runtime/identity/tokens.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type GatewayToken, GatewayTokens } from '../../schemas/identity.ts';
import { assertValid } from '../../schemas/validate.ts';
import {
  type Command,
  type Context,
  flag,
  option,
  type Result,
  required,
  text,
  type Values,
} from '../command.ts';
import { minute, table } from '../output.ts';

const DAYS = 90;
const MAX_DAYS = 366;
const DAY_MS = 86_400_000;

export const gatewayToken: Command = {
  summary: 'make, list and remove tokens that a gateway takes from its callers',
  words: 'add|list|remove [ID]',
  options: {
    user: option.text('add: whom the token speaks for, as the journal and the policy name them'),
    teams: option.text('add: comma-separated (default: none)'),
    servers: option.text('add: comma-separated aliases of the servers that it reaches'),
    'all-servers': option.flag('add: it reaches every server of the gateway'),
    days: option.text(`add: how long it lasts, 1 to ${MAX_DAYS} (default ${DAYS})`),
    file: option.text(
      'the file of the gateway with its tokens (default: gateway-tokens.json in your Lockkeeper folder)',
    ),
  },
  examples: [
    'lk gateway token add --user ci:build --teams ci --servers docs,code --days 30',
    'lk gateway token list',
    'lk gateway token remove 0123456789abcdef',
  ],
  arity: [1, 2],
  async run(context, [verb = '', id], values) {
    const given = text(values, 'file');
    const file =
      given === undefined ? join(context.home.dir, 'gateway-tokens.json') : resolve(context.cwd, given);
    if (verb === 'add' && id === undefined) return add(context, file, values);
    if (verb === 'list' && id === undefined) return list(context, file);
    if (verb === 'remove' && id !== undefined) {
      const { user } = await removeToken(file, id);
      return {
        data: { removed: id, user },
        text: `The token ${id} of ${user} counts no longer, within a second.`,
      };
    }
    throw usage('add, list, or remove and an ID', quote([verb, id].filter(Boolean).join(' ')));
  },
};

async function add(context: Context, file: string, values: Values): Promise<Result> {
  const now = context.now();
  const wanted = {
    user: required(values, 'user', 'whom the token speaks for'),
    teams: words(values, 'teams'),
    servers: serversOf(values),
    expires: new Date(now.getTime() + daysOf(values) * DAY_MS).toISOString(),
  };
  // Before anything is written: the file takes the same form.
  const trial = { ...wanted, id: '0'.repeat(16), sha256: '0'.repeat(64), created: now.toISOString() };
  assertValid(GatewayTokens.properties.tokens.items, trial, 'the token', 'USAGE');
  const { token, entry } = await addToken(file, wanted, now);
  const { sha256: _hash, ...shown } = entry;
  return {
    data: { token, ...shown, file },
    text: `${token}\n\nIt speaks for ${entry.user} until ${minute(entry.expires)} UTC, reaches ${reach(entry)}, and is shown only now.\nThe gateway keeps what it hashes to in ${file}.`,
  };
}

async function list(context: Context, file: string): Promise<Result> {
  const tokens = (await listTokens(file)).map(({ sha256: _hash, ...token }) => token);
  const now = context.now().toISOString();
  const rows = tokens.map((token) => [
    token.id,
    token.user,
    token.teams.join(', ') || '-',
    reach(token),
    token.expires <= now ? `ended ${token.expires}` : token.expires,
  ]);
  return {
    data: { file, tokens },
    text:
      tokens.length === 0
        ? `No tokens in ${file}.`
        : table(['ID', 'USER', 'TEAMS', 'SERVERS', 'UNTIL'], rows),
  };
}

function reach({ servers }: Pick<GatewayToken, 'servers'>): string {
  return servers === null ? 'all servers' : servers.join(', ') || 'none';
}

/** A token for everything has to be asked for by name. */
function serversOf(values: Values): string[] | null {
  const servers = words(values, 'servers');
  const all = flag(values, 'all-servers');
  if (all !== servers.length > 0) return all ? null : servers;
  throw usage('--servers with aliases, or --all-servers', all ? 'both' : 'neither');
}

function words(values: Values, name: string): string[] {
  return (text(values, name) ?? '').split(',').filter((word) => word !== '');
}

function daysOf(values: Values): number {
  const given = text(values, 'days') ?? String(DAYS);
  const days = /^[1-9][0-9]{0,2}$/.test(given) ? Number(given) : 0;
  if (days >= 1 && days <= MAX_DAYS) return days;
  throw usage(`--days from 1 to ${MAX_DAYS}`, quote(given, 40));
}

function usage(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('USAGE', { expected, found, next: 'See: lk gateway token --help' });
}
