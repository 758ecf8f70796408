import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { short } from '../../runtime/trust/root.ts';
import { Me } from '../../schemas/api.ts';
import { seal } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { KEY_PROOF_TYPE, KeyView } from '../../schemas/keys.ts';
import { type Command, type Context, flag, type Result, text, type Values } from '../command.ts';
import { table } from '../output.ts';

/** The key that a person signs with unless told otherwise: named after them. */
export async function keyName(context: Context, values: Values): Promise<string> {
  const given = text(values, 'key') ?? text(values, 'name');
  if (given !== undefined) return given;
  const as = text(values, 'as');
  if (as !== undefined) return as;
  return (await context.home.signIns())[0]?.person ?? context.config.osUser;
}

export const keys: Command = {
  summary: 'make the key you sign approvals with, and enrol it at the registry',
  words: 'new | enrol | list',
  options: { name: { type: 'string' }, type: { type: 'string' }, replace: { type: 'boolean' } },
  optionHelp: {
    name: 'name of the key file (default: your name)',
    type: 'ed25519 (default) or p256',
    replace: 'retire the key you enrolled before, and the approvals it signed',
  },
  examples: ['lk keys new', 'lk keys new --type p256 --name work', 'lk keys enrol', 'lk keys list'],
  arity: [1, 1],
  async run(context, [verb = ''], values) {
    if (verb === 'new') return newKey(context, values);
    if (verb === 'enrol' || verb === 'enroll') return enrol(context, values);
    if (verb === 'list') return listKeys(context);
    throw new LockkeeperError('USAGE', {
      expected: 'new, enrol or list',
      found: quote(verb),
      next: 'See: lk keys --help',
    });
  },
};

async function newKey(context: Context, values: Values): Promise<Result> {
  const type = text(values, 'type') ?? 'ed25519';
  const privateKey = generate(type);
  const name = await keyName(context, values);
  const path = await context.home.writeKey(
    name,
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  const { keyid } = await context.home.readKey(name);
  return {
    data: { name, keyid, type, path },
    text: `Made the ${type} key ${context.paint.bold(short(keyid))} at ${path} (readable by you alone; it has no copy).\nNext: lk keys enrol${text(values, 'as') === undefined ? '' : ` --as ${text(values, 'as')}`}`,
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

async function enrol(context: Context, values: Values): Promise<Result> {
  const api = await context.api();
  const { key, keyid } = await context.home.readKey(await keyName(context, values));
  const { person } = await api.call('me', Me);
  const publicKey = publicPem(key);
  const proof = { person, publicKey, at: context.now().toISOString() };
  const envelope = seal(KEY_PROOF_TYPE, Buffer.from(JSON.stringify(proof)), [key]);
  const view = await api.call('keys', KeyView, {
    body: { proof: envelope, replace: flag(values, 'replace') },
  });
  return {
    data: view,
    text: `${context.paint.bold(view.person)} now signs with key ${short(keyid)} (root version ${view.rootVersion}).`,
  };
}

function publicPem(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
}

async function listKeys(context: Context): Promise<Result> {
  const names = await context.home.keyNames();
  const rows = await Promise.all(
    names.map(async (name) => {
      const { key, keyid } = await context.home.readKey(name);
      return { name, keyid, type: key.asymmetricKeyType === 'ed25519' ? 'ed25519' : 'p256' };
    }),
  );
  const shown = table(
    ['NAME', 'TYPE', 'KEY'],
    rows.map((row) => [row.name, row.type, row.keyid]),
  );
  return { data: { keys: rows }, text: rows.length ? shown : 'No keys yet. Make one with: lk keys new' };
}
