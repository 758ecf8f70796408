/** What a machine pinned and remembers of a registry's roots, where verbs ask it: follow, import, token. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Api } from '../../cli/api.ts';
import { importBundle } from '../../cli/bundle/import.ts';
import type { Context } from '../../cli/command.ts';
import { token } from '../../cli/commands/token.ts';
import { follow } from '../../cli/root/verbs.ts';
import { writeArchive } from '../../runtime/store/archive.ts';
import { openRoot, type RootEvidence } from '../../runtime/trust/root.ts';
import { BUNDLE_FILE } from '../../schemas/bundle.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import type { Intent } from '../../schemas/intent.ts';
import { LOCK_FILE, renderLockFile } from '../../schemas/lock.ts';
import type { Root } from '../../schemas/root.ts';
import { machine, refusal } from '../helpers/machine.ts';
import { at, makeLock, makeRoot, NOW, people, pin } from '../helpers/trust.ts';

const REGISTRY = 'http://127.0.0.1:7411';
const INTENT: Intent = {
  lockkeeper: 'intent/v1',
  project: 'acme/app',
  environment: 'development',
  registry: REGISTRY,
  trust: pin,
  servers: {},
};
const believed = makeRoot();
/** The same version under the same key, and another text. */
const another = makeRoot((root) => void (root.lifetimes.lockHours = 48));

/** A machine that signed in there under the root of `people`, and believed a root. */
async function signedIn(memory: Envelope | null): Promise<Context> {
  const context: Context = { ...machine(), now: () => NOW };
  await context.home.remember({
    registry: REGISTRY,
    person: 'erin',
    token: 'lk_t',
    expires: at(100),
    ...pin,
  });
  if (memory) {
    const evidence = { root: memory, rootChain: [] };
    await context.home.sawRoots(REGISTRY, { evidence, trusted: openRoot(evidence, pin, NOW) }, NOW);
  }
  return context;
}

/** Its registry, which shows these roots; the routes that were called. */
function answering(
  context: Context,
  evidence: RootEvidence,
  more: Readonly<Record<string, unknown>> = {},
): { context: Context; called: string[] } {
  const called: string[] = [];
  const trust = { ...pin, trial: false, standby: { lock: '', scanner: '', log: '' }, ...evidence, ...more };
  const grant = { token: 'lk_made', expires: at(24), person: 'erin', roles: ['developer'] };
  const answers: Record<string, unknown> = { trust, tokens: grant, me: { ...grant, token: undefined } };
  const call = async (route: string): Promise<unknown> => {
    called.push(route);
    return answers[route];
  };
  const api = { registry: REGISTRY, token: 'lk_t', call } as unknown as Api;
  return { context: { ...context, api: async () => api }, called };
}

const pinned = async ({ home }: Context): Promise<string[] | undefined> =>
  (await home.signIns())[0]?.rootKeys;

/** Good in itself, with mallory's key for a root key. */
function taken(root: Root): void {
  const { keyid, pem: publicKey, person } = people.mallory;
  root.keys = root.keys.map((key) =>
    key.keyid === people.root.keyid ? { ...key, keyid, publicKey, person } : key,
  );
  root.roles.root.keyids = [keyid];
}
/** The next root: signed by the one before it, and its own. */
const handedOver = (): Envelope => {
  const own = makeRoot((root) => void taken(Object.assign(root, { version: 4 })), people.mallory);
  const before = makeRoot((root) => void taken(Object.assign(root, { version: 4 })));
  return { ...own, signatures: [...own.signatures, ...before.signatures] };
};

describe('lk keys root follow', () => {
  it.each([
    ['the version it believed with another text', { root: another, rootChain: [] }],
    ['that version in the chain', { root: handedOver(), rootChain: [another] }],
  ])('does not follow %s, and pins and remembers what it did', async (_, evidence) => {
    const { context } = answering(await signedIn(believed), evidence);
    const intentPath = join(context.cwd, 'lockkeeper.json');
    writeFileSync(intentPath, JSON.stringify(INTENT));
    const memory = await context.home.roots(REGISTRY);
    expect((await refusal(follow(context, {}))).code).toBe('ROOT_FORK');
    expect(await pinned(context)).toEqual(pin.rootKeys);
    expect(await context.home.roots(REGISTRY)).toEqual(memory);
    expect(JSON.parse(readFileSync(intentPath, 'utf8'))).toEqual(INTENT);
  });

  it('follows what was signed after the root it believed, and remembers that too', async () => {
    const { context } = answering(await signedIn(believed), { root: handedOver(), rootChain: [believed] });
    await follow(context, {});
    expect(await pinned(context)).toEqual([people.mallory.keyid]);
    expect(Object.keys((await context.home.roots(REGISTRY))?.digests ?? {})).toEqual(['3', '4']);
  });
});

describe('lk import', () => {
  /** A bundle without a server, and so without a blob; its lock lives for eleven hours. */
  const bundle = async (context: Context, root: Envelope, change: Partial<Intent> = {}): Promise<string> => {
    const intent = { ...INTENT, ...change };
    const file = makeLock({
      root,
      approvals: [],
      lock: (lock) => {
        lock.servers = {};
        lock.expires = at(10);
        lock.audience = intent.project;
        lock.environment = intent.environment;
      },
    });
    const path = join(context.cwd, 'in.lkb');
    const archive = await writeArchive(path);
    const head = { lockkeeper: 'bundle/v1', rootChain: [], growth: [] };
    await archive.put(BUNDLE_FILE, Buffer.from(JSON.stringify(head)));
    await archive.put('lockkeeper.json', Buffer.from(JSON.stringify(intent)));
    await archive.put(LOCK_FILE, Buffer.from(renderLockFile(file)));
    await archive.close();
    return path;
  };
  const lockOf = ({ cwd }: Context): string => join(cwd, LOCK_FILE);

  it('refuses a root that the machine does not remember so, and writes nothing', async () => {
    const context = await signedIn(believed);
    const path = await bundle(context, another);
    expect((await refusal(importBundle(context, path, {}))).code).toBe('ROOT_FORK');
    expect([existsSync(lockOf(context)), existsSync(join(context.cwd, 'lockkeeper.json'))]).toEqual([
      false,
      false,
    ]);
  });

  it('remembers the root it came with, whatever the next bundle’s project is', async () => {
    const context = await signedIn(null);
    await importBundle(context, await bundle(context, believed), {});
    const path = await bundle(context, another, { project: 'acme/other' });
    const project = join(context.cwd, 'other');
    expect((await refusal(importBundle(context, path, { project }))).code).toBe('ROOT_FORK');
    expect(existsSync(project)).toBe(false);
  });

  it.each<[string, Partial<Intent>, Partial<Intent>]>([
    ['another environment', { environment: 'production' }, {}],
    ['longer locks', { maxLockHours: 11 }, { maxLockHours: 12 }],
    ['locks without an end of its own', { maxLockHours: 11 }, {}],
  ])(
    'keeps the limits of the project that stands there: a bundle with %s is refused',
    async (_, here, brought) => {
      const context = await signedIn(believed);
      const before = JSON.stringify({ ...INTENT, ...here });
      writeFileSync(join(context.cwd, 'lockkeeper.json'), before);
      const path = await bundle(context, believed, brought);
      expect((await refusal(importBundle(context, path, {}))).code).toBe('LOCK_AUDIENCE');
      expect(readFileSync(join(context.cwd, 'lockkeeper.json'), 'utf8')).toBe(before);
      expect(existsSync(lockOf(context))).toBe(false);
    },
  );

  it.each<[string, Partial<Intent>, Partial<Intent>]>([
    ['the same limit', { maxLockHours: 12 }, { maxLockHours: 12 }],
    ['a narrower one', { maxLockHours: 12 }, { maxLockHours: 11 }],
    ['one where there was none', {}, { maxLockHours: 11 }],
  ])('takes a bundle with %s', async (_, here, brought) => {
    const context = await signedIn(believed);
    writeFileSync(join(context.cwd, 'lockkeeper.json'), JSON.stringify({ ...INTENT, ...here }));
    await importBundle(context, await bundle(context, believed, brought), {});
    expect(existsSync(lockOf(context))).toBe(true);
  });
});

describe('lk token', () => {
  const run = (context: Context): Promise<unknown> => token.run(context, [], {});

  it('prints the keys of the verified root, whatever the registry says beside it', async () => {
    const lie = { rootKeys: [people.mallory.keyid], threshold: 2 };
    const { context } = answering(await signedIn(believed), { root: believed, rootChain: [] }, lie);
    const { text } = (await run(context)) as { text: string };
    expect(text).toContain(`LOCKKEEPER_ROOT_KEYS=${people.root.keyid}\n`);
    expect(text).toContain('LOCKKEEPER_ROOT_THRESHOLD=1');
    expect(text).not.toContain(people.mallory.keyid);
  });

  it.each<[string, Envelope]>([
    ['that somebody else signed', makeRoot(() => undefined, people.mallory)],
    ['that somebody else made', makeRoot(taken, people.mallory)],
  ])('prints and makes nothing under a root %s', async (_, root) => {
    const { context, called } = answering(await signedIn(null), { root, rootChain: [] });
    expect((await refusal(run(context))).code).toBe('ROOT_UNTRUSTED');
    expect(called).not.toContain('tokens');
  });

  it('prints and makes nothing under a root that contradicts the one this machine believed', async () => {
    const { context, called } = answering(await signedIn(believed), { root: another, rootChain: [] });
    expect((await refusal(run(context))).code).toBe('ROOT_FORK');
    expect(called).not.toContain('tokens');
  });

  it('needs a sign-in, which pins', async () => {
    const { context, called } = answering(machine(), { root: believed, rootChain: [] });
    expect((await refusal(run(context))).code).toBe('ROOT_UNPINNED');
    expect(called).not.toContain('tokens');
  });
});
