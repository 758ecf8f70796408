import { resolve } from 'node:path';
import { writeAtomic } from '../../runtime/store/atomic.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { exportBundle } from '../bundle/export.ts';
import { type Command, type Context, option, type Result, type Values } from '../command.ts';
import { plain } from '../output.ts';
import { assertPinned } from '../pins.ts';
import { projectOf, readIntent } from '../project.ts';

export const exporting: Command = {
  summary: 'put lock, approvals, proofs and every artifact into one file',
  words: 'bundle FILE | pin FILE',
  options: {
    'from-size': option.text(
      'also prove how the log grew since this many entries, as that machine’s last import said',
    ),
    pin: option.text(
      'file with the root that the machine pinned, where that is an older one than the project’s',
    ),
    'trust-root': option.list(
      'NAME=FILE: a trust root of package signatures that root.json pins by digest; repeat',
    ),
  },
  examples: [
    'lk export bundle monday.lkb',
    'lk export bundle tuesday.lkb --from-size 4711',
    'lk export pin root-pin.json',
  ],
  arity: [2, 2],
  async run(context, [what = '', file = ''], values) {
    if (what === 'bundle') return exportBundle(context, resolve(context.cwd, file), values);
    if (what === 'pin') return exportPin(context, resolve(context.cwd, file), values);
    throw new LockkeeperError('USAGE', {
      expected: 'bundle or pin',
      found: quote(what),
      next: 'See: lk export --help',
    });
  },
};

/** The fingerprint that goes to the other machine by another way than the bundle. */
async function exportPin(context: Context, path: string, values: Values): Promise<Result> {
  const intent = await readIntent(projectOf(context, values));
  await assertPinned(context, intent);
  const { rootKeys, threshold } = intent.trust;
  const { registry } = intent;
  const pin = { lockkeeper: 'root-pin/v1', registry, rootKeys, threshold };
  await writeAtomic(path, `${JSON.stringify(pin, null, 2)}\n`);
  return {
    data: { path, ...pin },
    text: `${threshold} of these root keys of ${plain(registry)}, in ${path}:\n${rootKeys.map((key) => `  ${key}`).join('\n')}\nBring it to the other machine by another way than the bundle, and compare it there.`,
  };
}
