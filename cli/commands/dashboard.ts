import { Me } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { giveApproval } from '../approval.ts';
import { giveCallApproval } from '../calls.ts';
import { type Command, type Context, option, text, type Values } from '../command.ts';
import { startDashboard } from '../dashboard.ts';
import { findRelease } from '../releases.ts';
import { rootAt } from '../roots.ts';
import { signerNamed } from '../signers.ts';
import { whenTold } from '../tidied.ts';
import { keyName } from './keys.ts';

export const dashboard: Command = {
  summary: 'open the dashboard, to publish, review and sign with your own key',
  words: '',
  options: {
    port: option.text('port on 127.0.0.1 (default: a free one)'),
    key: option.text('name of your key file (default: your name)'),
  },
  examples: ['lk dashboard', 'lk dashboard --as alice --port 7412'],
  arity: [0, 0],
  async run(context, _words, values) {
    const api = await context.api();
    const me = await api.call('me', Me);
    const name = await keyName(context, values);
    const keyid = await keyidOf(context, name);
    const running = await startDashboard({
      port: portOf(values),
      registry: api.registry,
      token: api.token,
      view: { registry: api.registry, person: me.person, keyid },
      approve: async (id, wish) => {
        const signer = await signerNamed(context, name);
        const root = (): ReturnType<typeof rootAt> => rootAt(context, api);
        return giveApproval(await findRelease(api, id), wish, { api, signer, now: context.now(), root });
      },
      approveCall: async (shown) =>
        giveCallApproval(shown, { api, signer: await signerNamed(context, name), now: context.now() }),
    });
    const signs = keyid ? `, signing with the key ${name}` : ', without a key to sign with (lk keys new)';
    context.say(
      `Dashboard of ${api.registry} for ${me.person}${signs}:\n\n  ${running.url}\n\nThe address lets in whoever has it. Stop with Ctrl-C.`,
    );
    if (context.json) process.stdout.write(`${JSON.stringify({ url: running.url })}\n`);
    await new Promise<void>((resolve) => {
      whenTold(() => resolve());
    });
    await running.close();
    return null;
  },
};

async function keyidOf(context: Context, name: string): Promise<string | null> {
  if (!(await context.home.keyNames()).includes(name)) return null;
  return (await context.home.storedKey(name)).keyid;
}

function portOf(values: Values): number {
  const given = text(values, 'port') ?? '0';
  const port = Number(given);
  if (/^\d{1,5}$/.test(given) && port <= 65_535) return port;
  throw new LockkeeperError('USAGE', {
    expected: '--port from 0 to 65535',
    found: quote(given),
    next: 'See: lk dashboard --help',
  });
}
