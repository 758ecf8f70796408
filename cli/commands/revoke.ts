import { Release } from '../../schemas/release.ts';
import { type Command, required } from '../command.ts';
import { findRelease } from '../releases.ts';

export const revoke: Command = {
  summary: 'withdraw an approved release at once; one reviewer is enough',
  words: 'NAME@VERSION | ID',
  options: { reason: { type: 'string' } },
  optionHelp: { reason: 'why, for everyone whose gate will fail' },
  examples: ['lk revoke filesystem@2025.8.21 --reason "CVE-2026-0001"'],
  arity: [1, 1],
  async run(context, [spec = ''], values) {
    const reason = required(values, 'reason', 'why the release is withdrawn');
    const api = await context.api();
    const release = await findRelease(api, spec, true);
    const after = await api.call('revoke', Release, { parameters: { id: release.id }, body: { reason } });
    return {
      data: { release: after },
      text: `Revoked ${after.name} ${after.version}. From now on lk ci fails and lk lock leaves it out; locks made before expire within their hours.`,
    };
  },
};
