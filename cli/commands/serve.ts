import { loadConfig } from '../../registry/config.ts';
import { startRegistry } from '../../registry/start.ts';
import { closeInherited } from '../../runtime/isolation/descriptors.ts';
import { type Command, flag, option, text } from '../command.ts';
import { whenTold } from '../tidied.ts';

export const serve: Command = {
  summary: 'run the registry, its scanner and its database on this machine',
  words: '',
  options: {
    trial: option.flag(
      'one approval is enough; every lock and report says so; fixed at the first start of a data folder',
    ),
    port: option.text('port to listen on (default 7411)'),
    host: option.text('address to listen on (default 127.0.0.1)'),
    data: option.text('folder that holds everything the registry knows'),
  },
  examples: [
    'lk serve',
    'lk serve --trial --data ./trial',
    'DATABASE_URL=postgres://lockkeeper@db/lockkeeper lk serve',
  ],
  arity: [0, 0],
  async run(context, _words, values) {
    closeInherited();
    const config = loadConfig({
      ...context.config.environment,
      ...(flag(values, 'trial') ? { LOCKKEEPER_TRIAL: 'true' } : {}),
      ...given('LOCKKEEPER_PORT', text(values, 'port')),
      ...given('LOCKKEEPER_HOST', text(values, 'host')),
      ...given('LOCKKEEPER_DATA', text(values, 'data')),
    });
    // Told while it starts: it starts, and ends at once, with nothing left half made.
    const ended = new Promise<void>((resolve) => {
      whenTold(() => resolve());
    });
    const registry = await startRegistry(config, { log: context.say });
    context.say(
      welcome(context.paint, {
        url: registry.url,
        rootKeys: registry.rootKeys,
        code: registry.code,
        data: config.dataDir,
        trial: config.trial,
      }),
    );
    if (context.json) process.stdout.write(`${JSON.stringify({ url: registry.url, code: registry.code })}\n`);
    await ended;
    context.say('Stopping…');
    await registry.close();
    return null;
  },
};

function given(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}

function welcome(
  paint: { bold(text: string): string; yellow(text: string): string },
  at: { url: string; rootKeys: readonly string[]; code: string; data: string; trial: boolean },
): string {
  return [
    '',
    `${paint.bold('Lockkeeper')} is ready at ${paint.bold(at.url)} (data in ${at.data})`,
    ...(at.trial ? [paint.yellow('TRIAL: one approval is enough here. Every lock and report says so.')] : []),
    '',
    'Sign in as its administrator (the code works once, for an hour):',
    '',
    `  npm run -s lk -- login ${at.url} --code ${at.code}`,
    '',
    'Who signs in from another machine compares the root key, or names it with --root-key:',
    '',
    ...at.rootKeys.map((id) => `  ${id}`),
    '',
    'From here to a running server: docs/first-server.md. With --trial one approval is enough.',
    'Stop with Ctrl-C.',
    '',
  ].join('\n');
}
