import { ApprovalView, PolicyView, StatementView } from '../../schemas/api.ts';
import { type Approval, STATEMENT_TYPE } from '../../schemas/approval.ts';
import { seal } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { canonical } from '../../schemas/json.ts';
import { type Command, list, text, type Values } from '../command.ts';
import { findRelease } from '../releases.ts';
import { keyName } from './keys.ts';

const DAY_MS = 86_400_000;

export const approve: Command = {
  summary: 'sign an approval of exactly these bytes, this tool text and these permissions',
  words: 'NAME@VERSION | ID',
  options: {
    environment: { type: 'string', multiple: true },
    accept: { type: 'string', multiple: true },
    days: { type: 'string' },
    key: { type: 'string' },
  },
  optionHelp: {
    environment: 'where it may run; repeat (default: development)',
    accept: 'CHECK=REASON for a check that fired or is unknown and that you accept; repeat',
    days: 'how long the approval lasts (default and most: what the policy says)',
    key: 'name of your key file (default: your name)',
  },
  examples: [
    'lk approve filesystem@2025.8.21',
    'lk approve 4 --environment development --environment ci --accept "LK-REL-01=published date is the mirror\'s, seen on the release page"',
  ],
  arity: [1, 1],
  async run(context, [spec = ''], values) {
    const api = await context.api();
    const release = await findRelease(api, spec);
    const { key } = await context.home.readKey(await keyName(context, values));
    const view = await api.call('statement', StatementView, { parameters: { id: release.id } });
    const policy = await api.call('policy', PolicyView);
    const statement = fill(view.statement, {
      values,
      now: context.now(),
      maxDays: policy.approvals.maxAgeDays,
    });
    assertAccepted(view.missing, statement);
    const envelope = seal(STATEMENT_TYPE, Buffer.from(canonical(statement)), [key]);
    const given = await api.call('approve', ApprovalView, {
      parameters: { id: release.id },
      body: { envelope },
    });
    const label = `${release.name} ${release.version}`;
    const rest = given.needed - given.given;
    const state =
      given.state === 'approved'
        ? `${context.paint.green('Approved')}. Next, in a project: lk add ${release.name}`
        : `It needs ${rest} more.`;
    return { data: given, text: `You approved ${label} (${given.given} of ${given.needed}). ${state}` };
  },
};

function fill(statement: Approval, at: { values: Values; now: Date; maxDays: number }): Approval {
  const { values, now, maxDays } = at;
  const days = Number(text(values, 'days') ?? maxDays);
  if (!Number.isInteger(days) || days < 1 || days > maxDays) {
    throw new LockkeeperError('USAGE', {
      expected: `--days from 1 to ${maxDays}`,
      found: quote(String(values.days)),
      next: 'See: lk approve --help',
    });
  }
  const environments = list(values, 'environment');
  return {
    ...statement,
    predicate: {
      ...statement.predicate,
      environments: environments.length ? environments : ['development'],
      accepts: Object.fromEntries(list(values, 'accept').map(acceptOf)),
      notBefore: now.toISOString(),
      expires: new Date(now.getTime() + days * DAY_MS).toISOString(),
    },
  };
}

function acceptOf(word: string): [string, string] {
  const [, check, reason] = /^(LK-[A-Z]+-[0-9]{2})=(.{3,})$/s.exec(word) ?? [];
  if (check !== undefined && reason !== undefined) return [check, reason];
  throw new LockkeeperError('USAGE', {
    expected: '--accept CHECK=REASON, such as LK-REL-01=seen upstream',
    found: quote(word),
    next: 'See: lk review',
  });
}

function assertAccepted(missing: readonly string[], statement: Approval): void {
  const open = missing.filter((check) => !(check in statement.predicate.accepts));
  if (open.length === 0) return;
  throw new LockkeeperError('FORBIDDEN', {
    expected: `a reason for each check that fired or is unknown: ${missing.join(', ')}`,
    found: `none for ${open.join(', ')}`,
    next: `Read the evidence with lk review, then add ${open.map((check) => `--accept "${check}=REASON"`).join(' ')}`,
  });
}
