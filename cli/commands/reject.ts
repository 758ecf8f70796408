import { Release } from '../../schemas/release.ts';
import { type Command, option, reasonOf } from '../command.ts';
import { findRelease } from '../releases.ts';

export const reject: Command = {
  summary: 'turn a release down, with the reason',
  words: 'NAME@VERSION | ID',
  options: {
    reason: option.text('why, for the requester and the record'),
  },
  examples: ['lk reject 7 --reason "opens a socket at start; ask upstream why"'],
  arity: [1, 1],
  async run(context, [spec = ''], values) {
    const reason = reasonOf(values, 'why the release is turned down');
    const api = await context.api();
    const release = await findRelease(api, spec, { state: 'in_review', alone: true });
    const after = await api.call('reject', Release, { parameters: { id: release.id }, body: { reason } });
    return { data: { release: after }, text: `Rejected ${after.name} ${after.version}.` };
  },
};
