import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { giveApproval } from '../approval.ts';
import { type Command, list, text } from '../command.ts';
import { findRelease } from '../releases.ts';
import { signerNamed } from '../signers.ts';
import { keyName } from './keys.ts';

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
    const release = await findRelease(api, spec, true);
    const signer = await signerNamed(context, await keyName(context, values));
    const days = text(values, 'days');
    const wish = {
      environments: list(values, 'environment'),
      accepts: Object.fromEntries(list(values, 'accept').map(acceptOf)),
      days: days === undefined ? null : Number(days),
    };
    const given = await giveApproval(release, wish, { api, signer, now: context.now() });
    const label = `${release.name} ${release.version}`;
    const rest = given.needed - given.given;
    const state =
      given.state === 'approved'
        ? `${context.paint.green('Approved')}. Next, in a project: lk add ${release.name}`
        : `It needs ${rest} more.`;
    return { data: given, text: `You approved ${label} (${given.given} of ${given.needed}). ${state}` };
  },
};

function acceptOf(word: string): [string, string] {
  const [, check, reason] = /^(LK-[A-Z]+-[0-9]{2})=(.{3,})$/s.exec(word) ?? [];
  if (check !== undefined && reason !== undefined) return [check, reason];
  throw new LockkeeperError('USAGE', {
    expected:
      '--accept CHECK=REASON with a reason of at least three characters, such as LK-REL-01=seen upstream',
    found: quote(word),
    next: 'See: lk review',
  });
}
