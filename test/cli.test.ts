/** The gate as a pipeline runs it, against registries that lie, break or are somebody else's. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { AdvisoryCheckView } from '../schemas/advisory.ts';
import type { Envelope } from '../schemas/dsse.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { Intent } from '../schemas/intent.ts';
import { lockDigest, renderLockFile } from '../schemas/lock.ts';
import type { Logged } from '../schemas/log.ts';
import { noteKeyOf } from '../schemas/note.ts';
import { problemOf } from '../schemas/problem.ts';
import { BARE } from './helpers/bare.ts';
import { lkHere } from './helpers/here.ts';
import { type MemoryLog, memoryLog } from './helpers/log.ts';
import { tempDir } from './helpers/session.ts';
import { logSigner, makeApproval, makeEntry, makeLock, makeRoot, people, pin } from './helpers/trust.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');
const HOUR_MS = 3_600_000;
/** One moment for all: a lock of 72 hours is not to be one of a millisecond more. */
const BEGAN = Date.now();
const at = (hours: number): string => new Date(BEGAN + hours * HOUR_MS).toISOString();
const now = (person = people.carol.person): Envelope =>
  makeRoot((root) => {
    Object.assign(root, { issuedAt: at(-1), expires: at(1000) });
    root.keys = root.keys.filter((key) => key.person !== person);
    root.roles.approver.keyids = root.roles.approver.keyids.filter((id) =>
      root.keys.some(({ keyid }) => keyid === id),
    );
    for (const key of root.keys) Object.assign(key, { notBefore: at(-1), notAfter: at(1000) });
  });

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

type Answer = (path: string, response: ServerResponse) => void;
const json = (response: ServerResponse, value: unknown, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
};

interface World {
  readonly dir: string;
  readonly registry: string;
  readonly digest: string;
  readonly intent: Intent;
  run(words: string, env?: Record<string, string>): Promise<{ exit: number; stdout: string; stderr: string }>;
}

/** A project with a good lock, a home that is signed in, and a registry that answers as told. */
async function world(answer: (digest: string, log: MemoryLog) => Answer): Promise<World> {
  let told: Answer = () => undefined;
  server = createServer((request, response) => told(request.url ?? '', response));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dir = tempDir();
  const entry = { ...makeEntry(), request: { server: 'acme.tools/weather', range: '*' } };
  const given = [people.alice, people.bob].map((key) =>
    makeApproval(key, entry, (a) => void Object.assign(a.predicate, { notBefore: at(-1), expires: at(100) })),
  );
  let digest = '';
  const log = memoryLog(logSigner);
  const lock = makeLock({
    log,
    root: now(),
    entry,
    approvals: given,
    lock: (document) => {
      Object.assign(document, { registry, issuedAt: at(-1), expires: at(71) });
      digest = lockDigest(document);
    },
  });
  writeFileSync(join(dir, 'mcp.lock'), renderLockFile(lock));
  const intent: Intent = {
    lockkeeper: 'intent/v1',
    project: 'acme/app',
    environment: 'development',
    registry,
    trust: pin,
    servers: { weather: entry.request },
  };
  writeFileSync(join(dir, 'lockkeeper.json'), JSON.stringify(intent));
  const home = join(dir, 'home');
  mkdirSync(home);
  const signIn = { registry, person: 'erin', token: `lk_${'x'.repeat(43)}`, expires: at(10), ...pin };
  writeFileSync(
    join(home, 'credentials.json'),
    JSON.stringify({ lockkeeper: 'credentials/v1', signIns: [signIn] }),
    { mode: 0o600 },
  );
  told = answer(digest, log);
  return {
    dir,
    registry,
    digest,
    intent,
    run: (words, env = {}) => {
      const all = { ...BARE, LOCKKEEPER_HOME: home, ...env };
      // One command alone needs no shell, and no process.
      if (/^lk [\w ./:@=-]+$/.test(words)) return lkHere(words.split(' ').slice(1), all, dir);
      return new Promise((resolve) => {
        const script = `lk() { "${process.execPath}" "${MAIN}" "$@"; }; ${words}`;
        execFile(
          '/bin/bash',
          ['-o', 'pipefail', '-c', script],
          { cwd: dir, env: all },
          (error, stdout, stderr) => resolve({ exit: error ? Number(error.code) : 0, stdout, stderr }),
        );
      });
    },
  };
}

const NOTHING_KNOWN: AdvisoryCheckView = { failOn: null, releases: [] };
const knownHole = (failOn: AdvisoryCheckView['failOn']): AdvisoryCheckView => ({
  failOn,
  releases: [
    {
      server: 'acme.tools/weather',
      version: '1.2.3',
      advisories: [
        {
          id: 'GHSA-made-upup-0001',
          kind: 'vulnerability',
          severity: 'high',
          summary: 'reads outside\u001b[31m its folder',
          modified: '2026-11-24T10:00:00.000Z',
          purls: ['pkg:npm/weather@1.2.3'],
        },
      ],
    },
  ],
});

/** A registry that tells the truth, but for what is said otherwise. `view` is the log that it shows. */
const honest =
  (root: Envelope, { known = true, view = (log: MemoryLog) => log, told = NOTHING_KNOWN } = {}) =>
  (digest: string, log: MemoryLog): Answer =>
  (path, response) => {
    const shown = view(log);
    const query = new URL(path, 'http://registry').searchParams;
    if (path === '/v1/log')
      return json(response, { key: noteKeyOf(logSigner, 'log'), checkpoint: shown.note() });
    if (path === '/v1/advisories/check') return json(response, told);
    if (path.startsWith('/v1/log/consistency'))
      return json(response, { proof: shown.growth(Number(query.get('from'))).proof });
    path.startsWith('/v1/trust')
      ? json(response, {
          ...pin,
          trial: false,
          root,
          rootChain: [],
          standby: { lock: '', scanner: '', log: '' },
        })
      : json(response, {
          known,
          latest: { version: 7, digest },
          states: [{ server: 'acme.tools/weather', version: '1.2.3', state: 'approved' }],
        });
  };

const entries = (count: number): Logged[] =>
  Array.from({ length: count }, (_, at) => ({
    kind: 'audit',
    subject: `batch ${at}`,
    digest: `sha256:${'0'.repeat(64)}`,
  }));
const grown = (log: MemoryLog): MemoryLog => {
  if (log.size < 5) log.append(...entries(5));
  return log;
};
const rewritten = (): MemoryLog => {
  const log = memoryLog(logSigner);
  log.append(...entries(20));
  return log;
};

const problem = (code: string, expected = 'x'): object => {
  const refusal = new LockkeeperError('FORBIDDEN', { expected, found: 'y', next: 'z' });
  return { ...problemOf(refusal, 'x'), code };
};

describe('a registry whose own root has ended', () => {
  const ended = makeRoot((root) => {
    Object.assign(root, { issuedAt: at(-100), expires: at(-1) });
    for (const key of root.keys) Object.assign(key, { notBefore: at(-100), notAfter: at(1000) });
  });

  it.each(['ci', 'run weather'])('lets nothing pass: lk %s', async (verb) => {
    const { run } = await world(honest(ended));
    const { exit, stdout, stderr } = await run(`lk ${verb}`);
    expect(`${stdout}${stderr}`).toContain('ROOT_EXPIRED');
    expect(exit).toBe(3);
  });
});

describe('lk ci', () => {
  it('is ok on a good lock and an honest registry', async () => {
    const { run } = await world(honest(now()));
    expect(await run('lk ci')).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('locked, approved and current'),
    });
  });

  it('warns of what is known against a release, and fails where the policy names its severity', async () => {
    for (const [failOn, exit, word] of [
      [null, 0, 'warning: known against acme.tools/weather 1.2.3'],
      ['critical', 0, 'GHSA-made-upup-0001 (high)'],
      ['high', 3, 'ADVISORY_AFFECTS'],
      ['low', 3, 'ADVISORY_AFFECTS'],
    ] as const) {
      const { run } = await world(honest(now(), { told: knownHole(failOn) }));
      const done = await run('lk ci');
      expect([done.exit, done.stdout]).toEqual([exit, expect.stringContaining(word)]);
      expect(done.stdout).not.toContain('\u001b');
    }
  });

  it.each<[string, Parameters<typeof world>[0], number, string]>([
    ['a lock that the registry never signed', honest(now(), { known: false }), 3, 'LOCK_EQUIVOCATION'],
    ['a log that is rewritten', honest(now(), { view: rewritten }), 3, 'LOG_FORK'],
    ['a log that is cut', honest(now(), { view: () => memoryLog(logSigner) }), 3, 'LOG_ROLLBACK'],
    ['an approval of somebody who left since', honest(now('bob')), 3, 'APPROVAL_THRESHOLD'],
    [
      'a page of somebody else',
      () => (_path, response) => void response.end('<html>'),
      4,
      'REGISTRY_UNREACHABLE',
    ],
    [
      'an empty answer',
      () => (_path, response) => void response.writeHead(204).end(),
      4,
      'REGISTRY_UNREACHABLE',
    ],
    ['another shape', () => (_path, response) => json(response, { ok: true }), 4, 'REGISTRY_UNREACHABLE'],
    ['a broken connection', () => (_path, response) => void response.destroy(), 4, 'REGISTRY_UNREACHABLE'],
    [
      'a redirect',
      () => (_path, response) => void response.writeHead(302, { location: '/x' }).end(),
      4,
      'REGISTRY_UNREACHABLE',
    ],
    [
      'a problem with a name that every object has',
      () => (_path, response) => json(response, problem('constructor'), 400),
      4,
      'REGISTRY_UNREACHABLE',
    ],
    [
      'a token it does not know',
      () => (_path, response) => json(response, problem('UNAUTHENTICATED'), 401),
      4,
      'UNAUTHENTICATED',
    ],
  ])('is not ok with %s', async (_, answer, exit, code) => {
    const { run } = await world(answer);
    const said = await run('lk ci --json');
    expect(said, said.stdout).toMatchObject({ exit });
    expect(JSON.parse(said.stdout)).toMatchObject({
      code,
      conclusion: exit === 3 ? 'refused' : 'unverified',
    });
  });

  it('is ok when the log grew since, and keeps both sides when it was rewritten', async () => {
    const good = await world(honest(now(), { view: grown }));
    expect(await good.run('lk ci')).toMatchObject({ exit: 0 });
    server?.close();
    const bad = await world(honest(now(), { view: rewritten }));
    const { stderr } = await bad.run('lk ci');
    const [, path] = /the proof of this is kept in (\S+);/.exec(stderr) ?? [];
    const proof = JSON.parse(readFileSync(path ?? '', 'utf8')) as { earlier: string; later: object };
    expect(proof).toMatchObject({ lockkeeper: 'misbehaviour/v1', code: 'LOG_FORK', project: 'acme/app' });
    expect(proof.earlier).toContain(`${logSigner.name}\n`);
    expect(JSON.stringify(proof.later)).toContain(`${logSigner.name}\\n20\\n`);
  });

  it('opens no socket when it is offline, and says what it does not know', async () => {
    const { run } = await world(honest(now()));
    for (const words of ['lk ci --offline', 'lk verify --offline']) {
      const said = await run(
        words.replace('lk', `strace -f -e trace=network -o "$PWD/calls" "${process.execPath}" "${MAIN}"`),
      );
      expect(said, said.stderr).toMatchObject({ exit: 0 });
      expect(readFileSync(join((await run('pwd')).stdout.trim(), 'calls'), 'utf8')).not.toMatch(
        /socket\(|connect\(/,
      );
    }
    expect((await run('lk ci --offline')).stdout).toContain('nobody was asked what was revoked since');
  });

  it('shows what differs from the lock in a file or at a revision, and is not ok where there is none', async () => {
    const { run } = await world(honest(now()));
    await run('cp mcp.lock before.lock && git init -q . && git add mcp.lock');
    await run('git -c user.name=a -c user.email=a@b.example commit -qm lock');
    for (const place of ['before.lock', 'HEAD'])
      expect(await run(`lk ci --offline --against ${place}`)).toMatchObject({
        exit: 0,
        stdout: expect.stringContaining(`Nothing differs from ${place}.`),
      });
    // A folder that is called like a branch is in nobody's way.
    const said = await run('git branch before && mkdir before && lk ci --json --against before');
    expect(JSON.parse(said.stdout)).toMatchObject({ differences: [] });
    await run('echo {} > broken.lock');
    for (const [place, code] of [
      ['nowhere', 'LOCK_MISSING'],
      ['HEAD~9', 'LOCK_MISSING'],
      ['"$(printf \'HEAD:x\')"', 'LOCK_MISSING'],
      ['broken.lock', expect.stringMatching(/^(?:LOCK|DOCUMENT)_/)],
    ]) {
      const said = await run(`lk ci --json --against ${place}`);
      expect(said.exit, place).toBe(4);
      expect(JSON.parse(said.stdout), place).toMatchObject({
        ...{ code, conclusion: 'unverified' },
        servers: [expect.objectContaining({ state: 'approved' })],
      });
    }
  });

  it('keeps its verdict when nobody reads it', async () => {
    const { run } = await world(honest(now(), { known: false }));
    expect((await run('lk ci | true')).exit).toBe(3);
  });

  it('lets no registry paint on a terminal', async () => {
    const { run } = await world(
      () => (_path, response) => json(response, problem('FORBIDDEN', '\u001b[2J\u001b[32mok'), 403),
    );
    const { stdout, stderr } = await run('lk ci; lk review');
    expect(`${stdout}${stderr}`).toContain('\\u{1b}[2J');
    expect(`${stdout}${stderr}`).not.toContain('\u001b');
  });
});

describe('the root of trust', () => {
  const other = { rootKeys: [people.mallory.keyid], threshold: 1 };

  it.each(['ci', 'verify', 'run weather', 'lock'])(
    'is not what a project’s own file says: lk %s',
    async (verb) => {
      const { dir, intent, run } = await world(honest(now()));
      writeFileSync(join(dir, 'lockkeeper.json'), JSON.stringify({ ...intent, trust: other }));
      const { exit, stdout, stderr } = await run(`lk ${verb}`);
      expect(`${stdout}${stderr}`).toContain('ROOT_UNTRUSTED');
      expect(exit).toBe(3);
    },
  );

  it('is signed by as many as the machine pinned', async () => {
    const { dir, intent, run } = await world(honest(now()));
    const more = { ...intent.trust, threshold: intent.trust.threshold + 1 };
    writeFileSync(join(dir, 'lockkeeper.json'), JSON.stringify({ ...intent, trust: more }));
    expect((await run('lk ci')).stdout).toContain('ROOT_UNTRUSTED');
    writeFileSync(join(dir, 'lockkeeper.json'), JSON.stringify(intent));
    const file = join(dir, 'home/credentials.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"threshold":1', '"threshold":2'));
    expect((await run('lk ci')).stdout).toContain('ROOT_UNTRUSTED');
  });

  it('takes as many of the environment’s keys as it has, whatever the project says', async () => {
    const { run, dir, intent, registry } = await world(honest(now()));
    const rootKeys = [...pin.rootKeys, people.mallory.keyid];
    writeFileSync(
      join(dir, 'lockkeeper.json'),
      JSON.stringify({ ...intent, trust: { rootKeys, threshold: 1 } }),
    );
    const env = {
      LOCKKEEPER_HOME: tempDir(),
      LOCKKEEPER_TOKEN: `lk_${'y'.repeat(43)}`,
      LOCKKEEPER_REGISTRY: registry,
      LOCKKEEPER_ROOT_KEYS: rootKeys.join(','),
    };
    const said = await run('lk ci --json', env);
    expect(JSON.parse(said.stdout)).toMatchObject({ code: 'ROOT_UNTRUSTED', conclusion: 'refused' });
    expect((await run('lk ci', { ...env, LOCKKEEPER_ROOT_THRESHOLD: '1' })).exit).toBe(0);
    for (const threshold of ['0', '3', 'two'])
      expect((await run('lk ci', { ...env, LOCKKEEPER_ROOT_THRESHOLD: threshold })).stderr).toContain(
        'CONFIG_INVALID',
      );
  });

  it('is the one that the told key signed, whatever else the answer names', async () => {
    const evil = makeRoot((root) => {
      const { keyid, pem: publicKey, person } = people.mallory;
      Object.assign(root, { issuedAt: at(-1), expires: at(1000) });
      root.keys = [...root.keys, { keyid, publicKey, person, notBefore: at(-1), notAfter: at(1000) }];
      root.roles.root.keyids = [keyid];
    }, people.mallory);
    const told = people.root.keyid;
    const { run, registry } = await world(() => (path, response) => {
      const answer = { rootKeys: [told, people.mallory.keyid], threshold: 1, trial: false, root: evil };
      const rest = { rootChain: [], standby: { lock: '', scanner: '', log: '' } };
      const token = { token: 'lk_x', person: 'erin', roles: ['developer'], expires: at(10) };
      json(response, path.startsWith('/v1/trust') ? { ...answer, ...rest } : token);
    });
    const home = { LOCKKEEPER_HOME: tempDir() };
    const login = `lk login ${registry} --code aaaa-bbbb-cccc`;
    expect((await run(`${login} --root-key ${told}`, home)).stderr).toContain('ROOT_UNTRUSTED');
    expect(JSON.parse((await run(`${login} --json`, home)).stdout)).toMatchObject({
      rootKeys: [people.mallory.keyid],
    });
  });

  it('is pinned by nobody where nobody signed in', async () => {
    const { run } = await world(honest(now()));
    const { exit, stdout } = await run('lk ci --json', { LOCKKEEPER_HOME: tempDir() });
    expect(exit).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ code: 'ROOT_UNPINNED', conclusion: 'unverified' });
  });

  it('is pinned by a pipeline’s environment, whose token goes to its own registry alone', async () => {
    const seen: string[] = [];
    const { run, registry } = await world((digest, log) => (path, response) => {
      seen.push(response.req.headers.authorization ?? '');
      honest(now())(digest, log)(path, response);
    });
    const home = { LOCKKEEPER_HOME: tempDir(), LOCKKEEPER_TOKEN: `lk_${'y'.repeat(43)}` };
    expect((await run('lk ci', { ...home, LOCKKEEPER_REGISTRY: registry })).stderr).toContain(
      'CONFIG_INVALID',
    );
    const keys = { LOCKKEEPER_ROOT_KEYS: pin.rootKeys.join(',') };
    expect((await run('lk ci', { ...home, ...keys, LOCKKEEPER_REGISTRY: registry })).exit).toBe(0);
    expect(seen.every((header) => header.endsWith('y'))).toBe(true);
    seen.length = 0;
    const other = { ...home, ...keys, LOCKKEEPER_REGISTRY: 'https://other.example' };
    const { exit, stdout } = await run('lk ci --json', other);
    expect([exit, JSON.parse(stdout).code]).toEqual([4, 'ROOT_UNPINNED']);
    expect(seen).toEqual([]);
  });
});

describe('what a project holds', () => {
  it.each(['mcp.lock', 'lockkeeper.json'])('never hangs the gate: %s as a pipe', async (name) => {
    const { run } = await world(honest(now()));
    const { exit, stdout } = await run(`rm ${name}; mkfifo ${name}; lk ci`);
    expect(stdout).toContain('something that is no file');
    expect(exit).toBe(3);
  });
});

describe('lk audit --local', () => {
  it.each(['--limit 0', '--limit x', '--since yesterday', '--until 2026-13-01'])(
    'refuses %s',
    async (words) => {
      const { run } = await world(honest(now()));
      const { exit, stderr } = await run(`lk audit --local ${words}`);
      expect(stderr).toContain('[USAGE]');
      expect(exit).toBe(2);
    },
  );
});
