/** The steps of a root ceremony: begin, change, read, sign, hand in, follow. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pinOfRoot, type RootPin, readRoot, short } from '../../runtime/trust/root.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { RootVersionView, TrustView } from '../../schemas/keys.ts';
import type { RoleName, Root } from '../../schemas/root.ts';
import { type Context, list, type Result, required, text, type Values } from '../command.ts';
import { keyName } from '../commands/keys.ts';
import { namedIdentity, trustedRootAt } from '../identity-key.ts';
import { pinText, signInsAt } from '../pins.ts';
import { projectOf, readIntent, writeIntent } from '../project.ts';
import { rootOfToday } from '../roots.ts';
import { signerNamed } from '../signers.ts';
import * as edit from './changes.ts';
import { describeDraft } from './describe.ts';
import { changed, type Draft, readDraft, sealed, signDraft, standing, writeDraft } from './draft.ts';
import { assertNamed, isKnown, signedHere } from './known.ts';
import { settings } from './settings.ts';

const DAY_MS = 86_400_000;

export type Verb = (context: Context, path: string, values: Values) => Promise<Result>;

export const VERBS: Readonly<Record<string, Verb>> = {
  init,
  add: (context, path, values) => editing(context, path, async (draft) => add(draft, context, values)),
  remove: (context, path, values) =>
    editing(context, path, async ({ root }) =>
      edit.removePerson(root, required(values, 'person', 'whose key'), roles(values)),
    ),
  rotate: (context, path, values) => editing(context, path, async (draft) => rotate(draft, context, values)),
  set: (context, path, values) => editing(context, path, async ({ root }) => settings(root, values)),
  show: async (context, path) => described(context, await readDraft(at(context, path))),
  sign,
  submit,
};

/** Throws ROOT_FORK or ROOT_ROLLBACK for a draft that contradicts what this machine knows. */
async function described(context: Context, draft: Draft): Promise<{ data: object; text: string }> {
  return describeDraft(draft, context.paint, await isKnown(context, draft));
}

function at(context: Context, path: string): string {
  return resolve(context.cwd, path);
}

/** Begins the root after the registry's newest one, which has to follow from the pinned keys. */
async function init(context: Context, path: string, values: Values): Promise<Result> {
  const api = await context.api(text(values, 'registry'));
  const [pin] = await signInsAt(context, api.registry);
  const today = await rootOfToday(context, api, pin);
  const now = context.now();
  await context.home.sawRoots(api.registry, today, now);
  const { evidence, trusted } = today;
  const { root: before } = trusted;
  const root: Root = {
    ...before,
    version: before.version + 1,
    issuedAt: now.toISOString(),
    expires: new Date(now.getTime() + 365 * DAY_MS).toISOString(),
  };
  const draft: Draft = {
    lockkeeper: 'root-draft/v1',
    registry: api.registry,
    root: edit.lasting(root, before.expires),
    previous: evidence.root,
    signatures: [],
  };
  await writeDraft(at(context, path), draft);
  return described(context, draft);
}

async function editing(
  context: Context,
  path: string,
  change: (draft: Draft) => Promise<Root>,
): Promise<Result> {
  const draft = await readDraft(at(context, path));
  const after = changed(draft, await change(draft));
  await writeDraft(at(context, path), after);
  const { data, text: shown } = await described(context, after);
  const lost = draft.signatures.length;
  const note = `The text is another one now: ${lost} ${lost === 1 ? 'signature was' : 'signatures were'} taken off.\n`;
  return { data, text: lost > 0 ? note + shown : shown };
}

function roles(values: Values): RoleName[] {
  const named = list(values, 'role');
  if (named.length > 0) return named.map(edit.roleNamed);
  throw noRole('root, approver, revoker, lock or scanner; repeat');
}

function noRole(which: string): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: `--role: ${which}`,
    found: 'no value',
    next: 'Add it and run the command again',
  });
}

async function publicKeyAt(context: Context, values: Values): Promise<string> {
  const path = required(values, 'public-key', 'a file with the public key, as lk keys show prints it');
  return readFile(at(context, path), 'utf8');
}

async function add({ root }: Draft, context: Context, values: Values): Promise<Root> {
  if (values.issuer !== undefined || values.san !== undefined) {
    const trustedRoot = values['trusted-root'] === undefined ? null : await trustedRootAt(context, values);
    const person = required(values, 'person', 'whose identity');
    const added = { person, ...namedIdentity(values), from: root.issuedAt, trustedRoot };
    return edit.addIdentity(root, added, roles(values));
  }
  const key = {
    person: required(values, 'person', 'whose key'),
    publicKey: await publicKeyAt(context, values),
    from: root.issuedAt,
  };
  return edit.addKey(root, key, roles(values));
}

/** A person's key by a file, the registry's own by what it has standing by. */
async function rotate({ root, registry }: Draft, context: Context, values: Values): Promise<Root> {
  const [role] = list(values, 'role');
  if (role === undefined) throw noRole('lock, scanner or log, or a person’s role');
  const given = text(values, 'public-key');
  const standby = async (): Promise<TrustView['standby']> =>
    (await (await context.api(registry)).call('trust', TrustView)).standby;
  if (role === 'log') return edit.rotateLog(root, given ?? (await standby()).log);
  const named = edit.roleNamed(role);
  const own = named === 'lock' || named === 'scanner';
  const keep = text(values, 'keep-days');
  const days = keep ?? (own ? String(Math.ceil(root.lifetimes.lockHours / 24)) : '0');
  const until = Number(days) > 0 ? new Date(Date.parse(root.issuedAt) + Number(days) * DAY_MS) : null;
  const [holder] = root.keys.filter((key) => root.roles[named].keyids.includes(key.keyid));
  return edit.replaceKey(root, named, {
    person:
      text(values, 'person') ?? (own ? (holder?.person ?? '') : required(values, 'person', 'whose key')),
    publicKey: own && given === undefined ? (await standby())[named] : await publicKeyAt(context, values),
    from: root.issuedAt,
    until: until?.toISOString() ?? null,
  });
}

/** Signs what `show` says. A key that neither this root nor the one before it names would sign for nothing. */
async function sign(context: Context, path: string, values: Values): Promise<Result> {
  const draft = await readDraft(at(context, path));
  edit.assertMeetable(draft.root);
  const signer = await signerNamed(context, await keyName(context, values));
  const { keyid } = signer;
  const { root: before } = readRoot(draft.previous);
  const holds = [before, draft.root].some(({ roles: by }) => by.root.keyids.includes(keyid));
  if (!holds)
    throw new LockkeeperError('KEY_UNKNOWN', {
      expected: `a root key of version ${before.version} or of version ${draft.root.version}`,
      found: `key ${short(keyid)}, which neither names`,
      next: 'Choose the key with --key NAME, or have it added: lk keys root add FILE --role root',
    });
  const known = await isKnown(context, draft);
  assertNamed(draft, known, text(values, 'previous'));
  const signed = await signDraft(draft, signer);
  await writeDraft(at(context, path), signed);
  await signedHere(context, draft);
  const { data, text: shown } = describeDraft(signed, context.paint, known);
  return { data: { ...data, keyid }, text: `Signed with key ${short(keyid)}.\n${shown}` };
}

async function submit(context: Context, path: string): Promise<Result> {
  const draft = await readDraft(at(context, path));
  edit.assertMeetable(draft.root);
  const { own } = standing(draft);
  if (own.signed.length < own.needed)
    throw new LockkeeperError('ROOT_UNTRUSTED', {
      expected: `signatures of ${own.needed} of its own root holders`,
      found: own.signed.length === 0 ? 'none' : own.signed.join(', '),
      next: 'Have them sign it: lk keys root sign FILE',
    });
  const api = await context.api(draft.registry);
  const view = await api.call('rootAccept', RootVersionView, { body: { envelope: sealed(draft) } });
  return {
    data: view,
    text: `Root version ${view.version} is in force at ${api.registry}.\nNext, on each machine and in each project: lk keys root follow`,
  };
}

/** From the keys this machine pinned to the newest root keys, along the chain; the project here follows too. */
export async function follow(context: Context, values: Values): Promise<Result> {
  const api = await context.api(text(values, 'registry'));
  const mine = await signInsAt(context, api.registry);
  const moved: string[] = [];
  const newest = async (pin: { rootKeys: string[]; threshold: number }): Promise<typeof pin> => {
    const today = await rootOfToday(context, api, pin);
    await context.home.sawRoots(api.registry, today, context.now());
    return pinOfRoot(today.trusted.root);
  };
  const same = (a: RootPin, b: RootPin): boolean => pinText(a) === pinText(b);
  const project = projectOf(context, values);
  const intent = await readIntent(project).catch(() => null);
  const wanted = intent?.registry === api.registry ? intent : null;
  const following = wanted ? await newest(wanted.trust) : null;
  for (const signIn of [...mine].reverse()) {
    const next = await newest(signIn);
    if (!same(signIn, next)) moved.push(`the sign-in of ${signIn.person}`);
    await context.home.remember({ ...signIn, ...next });
  }
  if (wanted && following && !same(wanted.trust, following)) {
    await writeIntent(project, { ...wanted, trust: following });
    moved.push(project.intentPath);
  }
  const pin = await newest(mine[0]);
  const text_ = moved.length
    ? `Pinned the newest root keys in ${moved.join(', ')}:`
    : 'The newest root keys were pinned already:';
  return {
    data: { registry: api.registry, ...pin, moved },
    text: [text_, `  ${pin.threshold} of`, ...pin.rootKeys.map((id) => `  ${id}`)].join('\n'),
  };
}
