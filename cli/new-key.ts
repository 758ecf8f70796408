/** `lk keys new`: a key in a file, a reference to one in an SSH agent or behind a program, or an identity without one. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { short } from '../runtime/trust/root.ts';
import { readPublicKey } from '../schemas/dsse.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import { type AgentReference, type CommandReference, Words } from '../schemas/key-reference.ts';
import { signWith, TRIAL_TYPE } from '../schemas/signer.ts';
import { assertValid } from '../schemas/validate.ts';
import { type Context, flag, type Result, required, text, type Values } from './command.ts';
import { IDENTITY_OPTIONS, newIdentity } from './identity-key.ts';
import { plain } from './output.ts';
import { agentOf, signerNamed } from './signers.ts';
import { type Identity, identities } from './ssh/agent.ts';

/** Makes the key, or names it. Throws USAGE, KEY_UNKNOWN and SIGNER_FAILED, and leaves nothing behind then. */
export async function newKey(context: Context, name: string, values: Values): Promise<Result> {
  const [agent, command] = [flag(values, 'ssh-agent'), text(values, 'command')];
  assertOneKind(values);
  if (flag(values, 'sigstore')) return anIdentity(context, name, values);
  const made = agent
    ? await fromAgent(context, name, values)
    : command !== undefined
      ? await fromCommand(context, name, values)
      : await inFile(context, name, values);
  const { keyid, publicKey, kind } = await context.home.storedKey(name);
  const same = ['name', 'as'].flatMap((option) => {
    const value = text(values, option);
    return value === undefined ? [] : [`--${option} ${value}`];
  });
  return {
    data: { name, keyid, type: typeOf(publicKey), kind, path: made.path },
    text: `${made.says(context.paint.bold(short(keyid)))}\nNext: ${['lk keys enrol', ...same].join(' ')}`,
  };
}

export function typeOf(key: KeyObject | null): 'ed25519' | 'p256' | 'identity' {
  if (key === null) return 'identity';
  return key.asymmetricKeyType === 'ed25519' ? 'ed25519' : 'p256';
}

async function anIdentity(context: Context, name: string, values: Values): Promise<Result> {
  const path = await newIdentity(context, name, values);
  const { keyid, kind } = await context.home.storedKey(name);
  return {
    data: { name, keyid, type: 'identity', kind, path },
    text: `Named the identity ${context.paint.bold(short(keyid))} in ${path}. It has no key: each signature asks for a certificate.\nNext, by the root holders: lk keys root add FILE --role approver --person ${name} --issuer … --san … --trusted-root …`,
  };
}

interface Made {
  readonly path: string;
  readonly says: (keyid: string) => string;
}

/** Options of one kind say nothing about another: together they are a mistake. */
function assertOneKind(values: Values): void {
  const given = ['ssh-agent', 'command', 'type', 'sigstore'].filter((name) => values[name] !== undefined);
  const identity = IDENTITY_OPTIONS.filter(
    (name) => values[name] !== undefined && values.sigstore === undefined,
  );
  const belongs = [
    values.identity !== undefined && values['ssh-agent'] === undefined
      ? '--identity without --ssh-agent'
      : '',
    values['public-key'] !== undefined && values.command === undefined
      ? '--public-key without --command'
      : '',
    identity.length > 0 ? `--${identity[0]} without --sigstore` : '',
    given.length > 1 ? given.map((name) => `--${name}`).join(' and ') : '',
  ].filter((fault) => fault !== '');
  if (belongs.length === 0) return;
  throw new LockkeeperError('USAGE', {
    expected:
      'one of --type, --ssh-agent [--identity], --command with --public-key and --sigstore with --issuer, --san and --trusted-root',
    found: belongs.join(', '),
    next: 'See: lk keys --help',
  });
}

async function inFile({ home }: Context, name: string, values: Values): Promise<Made> {
  const type = text(values, 'type') ?? 'ed25519';
  const pem = generate(type).export({ type: 'pkcs8', format: 'pem' }).toString();
  const path = await home.writeKey(name, pem);
  return {
    path,
    says: (keyid) => `Made the ${type} key ${keyid} at ${path} (readable by you alone; it has no copy).`,
  };
}

function generate(type: string): KeyObject {
  if (type === 'ed25519') return generateKeyPairSync('ed25519').privateKey;
  if (type === 'p256') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  throw new LockkeeperError('USAGE', {
    expected: '--type ed25519 or p256',
    found: quote(type),
    next: 'See: lk keys --help',
  });
}

async function fromAgent(context: Context, name: string, values: Values): Promise<Made> {
  const { publicKey, comment, fingerprint } = choose(
    await identities(agentOf(context)),
    text(values, 'identity'),
  );
  const reference: AgentReference = {
    lockkeeper: 'key/v1',
    kind: 'ssh-agent',
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    comment: comment.slice(0, 200),
  };
  const path = await context.home.writeReference(name, reference);
  const shown = plain(`${fingerprint} (${reference.comment})`);
  return {
    path,
    says: (keyid) => `The key ${keyid} is ${shown} of your SSH agent, which signs with it; named in ${path}.`,
  };
}

type Usable = Identity & { readonly publicKey: KeyObject };

/** The one identity there is, or the one that is named by fingerprint or comment. Nothing is guessed. */
function choose(all: readonly Identity[], wanted: string | undefined): Usable {
  const named = wanted === undefined ? all : all.filter((key) => isNamed(key, wanted));
  const usable = named.filter((key): key is Usable => key.publicKey !== null);
  const [only] = usable;
  if (only && usable.length === 1) return only;
  const asked = wanted === undefined ? '' : ` that ${quote(wanted, 100)} names`;
  if (usable.length > 1) {
    throw new LockkeeperError('USAGE', {
      expected: `one key of the SSH agent${asked}`,
      found: `${usable.length}: ${listed(usable)}`,
      next: 'Choose one by its fingerprint: lk keys new --ssh-agent --identity SHA256:…',
    });
  }
  throw new LockkeeperError('KEY_UNKNOWN', {
    expected: `an Ed25519 or P-256 key of the SSH agent${asked}`,
    found: named.length > 0 ? listed(named) : all.length > 0 ? listed(all) : 'an agent that shows no keys',
    next:
      all.length > 0 ? 'Add one with: ssh-add' : 'Add one with ssh-add, or unlock the agent with: ssh-add -X',
  });
}

function isNamed({ fingerprint, comment }: Identity, wanted: string): boolean {
  return fingerprint === wanted || comment === wanted;
}

function listed(keys: readonly Identity[]): string {
  const lines = keys.slice(0, 20).map(({ fingerprint, comment, type, why }) => {
    const about = why === '' ? type : `${type}: ${why}`;
    return plain(`${fingerprint} ${quote(comment, 60)} (${about})`);
  });
  return [...lines, ...(keys.length > 20 ? [`and ${keys.length - 20} more`] : [])].join('; ');
}

/** The program signs once before its key is named, so that a wrong one is told at once. */
async function fromCommand(context: Context, name: string, values: Values): Promise<Made> {
  const words = wordsOf(text(values, 'command') ?? '');
  const pem = await publicKeyAt(context, values);
  const [program = '', ...rest] = words;
  const path = await programAt(program, context);
  const reference: CommandReference = {
    lockkeeper: 'key/v1',
    kind: 'command',
    publicKey: readPublicKey(pem).key.export({ type: 'spki', format: 'pem' }).toString(),
    command: [path, ...rest],
  };
  const { keyid, key: publicKey } = readPublicKey(reference.publicKey);
  const stored = { kind: 'command', keyid, publicKey, reference } as const;
  const trial = await signerNamed({ ...context, home: { storedKey: async () => stored } }, name);
  await signWith(trial, TRIAL_TYPE, Buffer.from(context.now().toISOString()));
  const written = await context.home.writeReference(name, reference);
  return {
    path: written,
    says: (id) => `The key ${id} is behind ${plain(path)}, which signed a trial; named in ${written}.`,
  };
}

async function publicKeyAt({ cwd }: Context, values: Values): Promise<string> {
  const path = resolve(cwd, required(values, 'public-key', 'a file with the public half of its key, in PEM'));
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new LockkeeperError('NOT_FOUND', {
      expected: `a public key in PEM at ${quote(path, 200)}`,
      found: 'no such file',
      next: 'Take it out of the device: most tools can export it in PEM',
      cause,
    });
  });
}

function wordsOf(given: string): string[] {
  let value: unknown;
  try {
    value = parseStrict(given);
  } catch {
    value = null;
  }
  return assertValid(Words, value, '--command', 'USAGE');
}

/** A name is looked up once, now: what PATH says later changes nothing. */
async function programAt(program: string, { cwd, config }: Context): Promise<string> {
  const folders = program.includes('/') ? [] : (config.environment.PATH ?? '').split(delimiter);
  const places = program.includes('/')
    ? [resolve(cwd, program)]
    : folders.filter((folder) => folder.startsWith('/')).map((folder) => join(folder, program));
  for (const place of places) if (await isProgram(place)) return place;
  throw new LockkeeperError('USAGE', {
    expected: '--command with a program that is there and may be executed',
    found: quote(program, 200),
    next: 'Give its whole path',
  });
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
