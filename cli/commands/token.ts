import { pinOfRoot } from '../../runtime/trust/root.ts';
import { Me, type RoleName, Roles, TokenView } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type Command, option, text } from '../command.ts';
import { minute } from '../output.ts';
import { signInsAt } from '../pins.ts';
import { rootOfToday } from '../roots.ts';

const DAYS = 90;

export const token: Command = {
  summary: 'make a token for a pipeline or a runtime, with some of your roles and an end',
  words: '',
  options: {
    roles: option.text('comma-separated, of those you have (default: all of them)'),
    days: option.text(`how long it lasts, 1 to ${DAYS} (default ${DAYS})`),
  },
  examples: ['lk token --as ci', 'lk token --roles runtime --days 30'],
  arity: [0, 0],
  async run(context, _words, values) {
    const api = await context.api();
    const given = text(values, 'roles');
    const words = given === undefined ? (await api.call('me', Me)).roles : (given.split(',') as RoleName[]);
    const roles = assertValid(Roles, words, '--roles', 'USAGE');
    const days = Number(text(values, 'days') ?? DAYS);
    if (!Number.isInteger(days) || days < 1 || days > DAYS) {
      throw new LockkeeperError('USAGE', {
        expected: `--days from 1 to ${DAYS}`,
        found: quote(String(values.days)),
        next: 'See: lk token --help',
      });
    }
    // Only what this machine pinned vouches for what a pipeline is to pin.
    const [pin] = await signInsAt(context, api.registry);
    const { rootKeys, threshold } = pinOfRoot((await rootOfToday(context, api, pin)).trusted.root);
    const view = await api.call('tokens', TokenView, { body: { roles, hours: days * 24 } });
    return {
      data: view,
      text: `${view.token}\n\nIt speaks for ${view.person} as ${view.roles.join(', ')} until ${minute(view.expires)} UTC, and is shown only now.\nWhere it is used, set LOCKKEEPER_TOKEN to it, and\n\n  LOCKKEEPER_REGISTRY=${api.registry}\n  LOCKKEEPER_ROOT_KEYS=${rootKeys.join(',')}\n  LOCKKEEPER_ROOT_THRESHOLD=${threshold}`,
    };
  },
};
