import { assertNotRequester } from '../../runtime/trust/approval.ts';
import { Me } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Release } from '../../schemas/release.ts';
import type { Api } from '../api.ts';
import { giveApproval } from '../approval.ts';
import { type Command, list, option, text } from '../command.ts';
import { findRelease } from '../releases.ts';
import { rootAt } from '../roots.ts';
import { sealerNamed } from '../signers.ts';
import { keyName } from './keys.ts';

export const approve: Command = {
  summary: 'sign an approval of these bytes, this tool text and these permissions',
  words: 'NAME@VERSION | ID',
  options: {
    environment: option.list('where it may run; repeat (default: development)'),
    accept: option.list('CHECK=REASON for a check that fired or is unknown and that you accept; repeat'),
    days: option.text('how long the approval lasts (default and most: what the policy says)'),
    'delta-from': option.text(
      'NAME@VERSION of an approved release that you read the difference from, instead of the whole release',
    ),
    key: option.text('name of your key file (default: your name)'),
  },
  examples: [
    'lk approve filesystem@2025.8.21',
    'lk approve filesystem@2025.11.25 --delta-from filesystem@2025.8.21',
    'lk approve 4 --environment development --environment ci --accept "LK-REL-01=published date is the mirror\'s, seen on the release page"',
  ],
  arity: [1, 1],
  async run(context, [spec = ''], values) {
    const api = await context.api();
    const release = await findRelease(api, spec, { state: 'in_review', alone: false });
    // Before a key is asked for, which would not help.
    assertNotRequester((await api.call('me', Me)).person, release.requestedBy);
    const signer = await sealerNamed(context, await keyName(context, values));
    const days = text(values, 'days');
    const wish = {
      environments: list(values, 'environment'),
      accepts: Object.fromEntries(list(values, 'accept').map(acceptOf)),
      days: days === undefined ? null : Number(days),
      deltaFrom: await baseOf(api, release, text(values, 'delta-from')),
    };
    const given = await giveApproval(release, wish, {
      api,
      signer,
      now: context.now(),
      root: () => rootAt(context, api),
    });
    const label = `${release.name} ${release.version}`;
    const rest = given.needed - given.given;
    const state =
      given.state === 'approved'
        ? `${context.paint.green('Approved')}. Next, in a project: lk add ${release.name}`
        : `It needs ${rest} more.`;
    const delta = wish.deltaFrom === null ? '' : `, as a difference from ${wish.deltaFrom}`;
    return {
      data: given,
      text: `You approved ${label}${delta} (${given.given} of ${given.needed}). ${state}`,
    };
  },
};

/** The version that the difference is from. Throws USAGE for another server's. */
async function baseOf(api: Api, release: Release, spec: string | undefined): Promise<string | null> {
  if (spec === undefined) return null;
  const base = await findRelease(api, spec, { state: 'approved', alone: false });
  if (base.name === release.name && base.version !== release.version) return base.version;
  throw new LockkeeperError('USAGE', {
    expected: `--delta-from with another release of ${release.name}`,
    found: `${base.name} ${base.version}`,
    next: 'See: lk approve --help',
  });
}

/** Throws USAGE for anything but CHECK=REASON. */
export function acceptOf(word: string): [string, string] {
  const [, check, reason] = /^(LK-[A-Z]+-[0-9]{2})=(.{3,})$/s.exec(word) ?? [];
  if (check !== undefined && reason !== undefined) return [check, reason];
  throw new LockkeeperError('USAGE', {
    expected:
      '--accept CHECK=REASON with a reason of at least three characters, such as LK-REL-01=seen upstream',
    found: quote(word),
    next: 'See: lk review',
  });
}
