import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join, resolve } from 'node:path';
import { short } from '../../runtime/trust/root.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { noteKeyOf, readNoteKey, type Signer, type Verifier } from '../../schemas/note.ts';
import { readLogKey, WITNESS_NAME } from '../../schemas/witness.ts';
import { type Command, type Context, list, option, text, type Values } from '../command.ts';
import { listenAt } from '../listen.ts';
import { whenTold } from '../tidied.ts';
import { startWitness } from '../witness/server.ts';
import { openState } from '../witness/state.ts';

const DEFAULT_LISTEN = '127.0.0.1:7412';

export const witness: Command = {
  summary: "watch a registry's log from elsewhere, and cosign what only grew",
  words: '--log KEY',
  options: {
    log: option.list('key of a log to watch, as lk log key prints it; may be given several times'),
    key: option.text('name of its own key file, made at the first start (default: witness)'),
    name: option.text('name it signs under, for good (default: lockkeeper-witness/ and the id of its key)'),
    state: option.text('folder of what it remembers; never the registry’s, and one witness to one folder'),
    listen: option.text(`address and port (default ${DEFAULT_LISTEN}); port 0 takes a free one`),
  },
  examples: [
    'lk witness --log lockkeeper/4f0c1f2e3d4c+1a2b3c4d+AZ…',
    'lk witness --log KEY --name witness.example/one --state /var/lib/witness --listen 10.0.0.7:7412',
  ],
  arity: [0, 0],
  async run(context, _words, values) {
    const logs = logsOf(values);
    const place = listenAt(text(values, 'listen') ?? DEFAULT_LISTEN, 'witness');
    const signer = await signerOf(context, values);
    const vkey = noteKeyOf(signer, 'witness');
    const dir = resolve(context.cwd, text(values, 'state') ?? join(context.home.dir, 'witness'));
    const state = await openState(dir, readNoteKey(vkey));
    const { say, now } = context;
    const running = await startWitness({ ...place, signer, logs, state, now, say });
    const watches = [...new Set(logs.map(({ name }) => name))].map((origin) => ({
      origin,
      size: state.remembered(origin)?.size ?? null,
    }));
    // Whoever reads the first line may end it at once.
    const ended = new Promise<void>((done) => {
      whenTold(() => done());
    });
    say(welcome(context, { url: running.url, vkey, dir, watches }));
    if (context.json)
      process.stdout.write(`${JSON.stringify({ url: running.url, key: vkey, state: dir, logs: watches })}\n`);
    await ended;
    await running.close();
    return null;
  },
};

function logsOf(values: Values): Verifier[] {
  const logs = list(values, 'log').map(readLogKey);
  if (logs.length > 0) return logs;
  throw new LockkeeperError('USAGE', {
    expected: '--log with the key of a log to watch',
    found: 'none',
    next: 'Get it where you trust it, on a machine signed in to the registry: lk log key',
  });
}

/** Its own key: an Ed25519 key that signs nothing else, made at the first start. */
async function signerOf(context: Context, values: Values): Promise<Signer> {
  const file = text(values, 'key') ?? 'witness';
  if (!(await context.home.keyNames()).includes(file)) {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    context.say(
      `Made the key ${await context.home.writeKey(file, pem.toString())}: keep it, and a copy of it.`,
    );
  }
  const { key, keyid } = await context.home.readKey(file);
  return { name: nameOf(values, keyid), privateKey: assertEd25519(key, file) };
}

function nameOf(values: Values, keyid: string): string {
  const name = text(values, 'name') ?? `lockkeeper-witness/${short(keyid)}`;
  if (WITNESS_NAME.test(name)) return name;
  throw new LockkeeperError('USAGE', {
    expected: '--name of printable letters, without +, @ and comma',
    found: quote(name),
    next: 'Choose another name, such as witness.example/one',
  });
}

function assertEd25519(key: KeyObject, file: string): KeyObject {
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new LockkeeperError('KEY_FILE', {
    expected: `an Ed25519 key in the key file ${file}`,
    found: quote(String(key.asymmetricKeyType)),
    next: 'Name another key file with --key; one that is not there is made',
  });
}

function welcome(
  { paint }: Context,
  at: { url: string; vkey: string; dir: string; watches: readonly { origin: string; size: number | null }[] },
): string {
  return [
    `${paint.bold('Witness')} at ${paint.bold(at.url)} (memory in ${at.dir})`,
    ...at.watches.map(({ origin, size }) =>
      size === null
        ? paint.yellow(`  ${origin}: never seen; its first checkpoint will be taken as it is`)
        : `  ${origin}: ${size} entries seen`,
    ),
    '',
    'Its key, for LOCKKEEPER_WITNESSES of the registry (KEY@URL):',
    '',
    `  ${at.vkey}`,
    '',
    'Stop with Ctrl-C.',
  ].join('\n');
}
