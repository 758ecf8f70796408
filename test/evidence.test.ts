/** Evidence of a period through the command line: it verifies offline, and each change to it is refused by name. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../cli/api.ts';
import type { Said } from '../cli/drill/company.ts';
import type { Step } from '../cli/evidence/steps.ts';
import { readArchive, writeArchive } from '../runtime/store/archive.ts';
import { type AuditRecord, link } from '../schemas/audit.ts';
import { CallTaken, callId } from '../schemas/call.ts';
import type { JsonObject } from '../schemas/common.ts';
import { pretty, sha256 } from '../schemas/json.ts';
import { type Acme, acme, ECHO, SERVER } from './helpers/acme.ts';
import { BARE } from './helpers/bare.ts';
import { ARGUMENTS, callFacts } from './helpers/calls.ts';
import { here } from './helpers/here.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');
const UNSHARE = process.getuid?.() === 0 ? ['-n'] : ['-rn'];
const DAY_MS = 86_400_000;
const day = (offset: number): string => new Date(Date.now() + offset * DAY_MS).toISOString().slice(0, 10);

type Members = [path: string, bytes: Buffer][];

async function membersOf(file: string): Promise<Members> {
  const members: Members = [];
  for await (const member of readArchive(file)) members.push([member.path, await member.read(1 << 28)]);
  return members;
}

describe('evidence of a period', () => {
  let world: Acme;
  let whole: string;
  let later: string;
  let pin: string;
  let first: JsonObject;
  let second: JsonObject;
  const at = (name: string): string => join(world.dir, name);

  /** The verifier on a machine that has nothing but the pin. */
  const machine = (): { cwd: string; env: Record<string, string> } => ({
    cwd: world.dir,
    env: { ...BARE, LOCKKEEPER_HOME: at('machines/judge') },
  });
  const verify = (file: string, ...words: string[]): Promise<Said> =>
    here(['evidence', 'verify', file, '--json', ...words], machine());
  /** The same without a network. */
  const verifyAlone = (file: string, ...words: string[]): Omit<Said, 'stderr'> => {
    const cli = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      MAIN,
      'evidence',
      'verify',
      file,
      '--json',
    ];
    const command = [...UNSHARE, ...cli, ...words];
    const { status, stdout } = spawnSync('unshare', command, { ...machine(), encoding: 'utf8' });
    return { exit: status ?? 1, data: JSON.parse(stdout) };
  };
  const failed = ({ data }: { data: JsonObject }): [unknown, number | undefined] => [
    data.code,
    (data.steps as unknown as Step[]).find(({ ok }) => ok === false)?.step,
  ];

  /** A call of erin's that alice approved. */
  const approvedCall = async (): Promise<void> => {
    const { signIns } = JSON.parse(readFileSync(at('machines/erin/credentials.json'), 'utf8'));
    const { servers } = JSON.parse(readFileSync(at('project/mcp.lock'), 'utf8')).lock;
    const { server, version, closure } = servers.echo;
    const facts = callFacts({ server, version, closureDigest: closure.digest });
    const [{ registry, token }] = signIns;
    await openApi(registry, token).call('callAsk', CallTaken, { body: { facts, arguments: ARGUMENTS } });
    await world.company.must('alice', 'calls', 'approve', callId(facts));
  };

  beforeAll(async () => {
    world = await acme();
    const { company } = world;
    [whole, later, pin] = [at('whole.lke'), at('later.lke'), at('root-pin.json')];
    await company.must('erin', 'export', 'pin', pin);
    await approvedCall();
    await company.call('erin', 'echo', [ECHO, ECHO]);
    await company.must('olga', 'keys', 'new');
    first = await company.must('olga', 'evidence', '--from', day(-1), '--to', day(2), '-o', whole);
    const middle = new Date().toISOString();
    await company.call('erin', 'echo', [ECHO]);
    await company.must('erin', 'lock');
    await company.must('dave', 'publish', 'npm:@acme/other@1.0.0');
    await company.must('alice', 'reject', 'other@1.0.0', '--reason', 'nobody needs it');
    await company.must('bob', 'revoke', 'echo@1.0.0', '--reason', 'posts what it reads');
    second = await company.must('admin', 'evidence', '--from', middle, '--to', day(2), '-o', later);
  });
  afterAll(() => world?.close());

  it('says what was approved, locked, run and called', () => {
    expect(first).toMatchObject({
      conclusion: 'ok',
      exportedBy: 'olga',
      decisions: {
        submissions: [`${SERVER}@1.0.0`],
        approvals: [{ person: 'alice' }, { person: 'bob' }],
        calls: [{ release: `${SERVER}@1.0.0`, tool: 'delete_repository', user: 'erin', person: 'alice' }],
        locks: [{ lock: 'project#1', servers: [`${SERVER}@1.0.0`] }],
        revocations: [],
      },
      used: [{ release: `${SERVER}@1.0.0`, sessions: 1, calls: 2, refused: 0, approvedBy: ['alice', 'bob'] }],
    });
    expect((first.steps as unknown as Step[]).map(({ ok }) => ok)).toEqual(Array(10).fill(true));
  });

  it('begins in the middle of the log, and rests on what was proved before', async () => {
    expect(second).toMatchObject({
      conclusion: 'ok',
      signedBy: null,
      decisions: {
        submissions: ['npm.acme/other@1.0.0'],
        approvals: [],
        rejections: [{ person: 'alice', reason: 'nobody needs it' }],
        revocations: [{ person: 'bob', reason: 'posts what it reads', signed: true }],
        locks: [{ lock: 'project#2' }],
      },
      used: [{ calls: 1 }],
    });
    const folders = (await membersOf(later)).map(([path]) => path.split('/')[0]);
    expect(folders).toContain('earlier');
  });

  it('verifies without a network on a machine that has the pin alone', async () => {
    for (const [file, told] of [
      [whole, first],
      [later, second],
    ] as const) {
      const { exit, data } = verifyAlone(file, '--pin', pin);
      expect(exit, JSON.stringify(data)).toBe(0);
      expect({ ...data, path: 0 }).toEqual({ ...told, path: 0 });
    }
    const { rootKeys } = JSON.parse(readFileSync(pin, 'utf8'));
    expect((await verify(whole, '--root-key', rootKeys[0])).exit).toBe(0);
  });

  it('is not believed without a pin, nor under another', async () => {
    const unpinned = await verify(whole);
    expect([unpinned.exit, ...failed(unpinned)]).toEqual([4, 'ROOT_UNPINNED', 2]);
    const strange = await verify(whole, '--root-key', `sha256:${'0'.repeat(64)}`);
    expect([strange.exit, ...failed(strange)]).toEqual([3, 'ROOT_UNTRUSTED', 2]);
    expect((await verify(at('none.lke'), '--pin', pin)).exit).toBe(4);
  });

  it('is for auditors and administrators', async () => {
    const said = await world.company.lk(
      'erin',
      'evidence',
      '--from',
      day(-1),
      '--to',
      day(2),
      '-o',
      at('no.lke'),
    );
    expect([said.exit, (said.data.error as JsonObject).code]).toEqual([3, 'FORBIDDEN']);
    expect(existsSync(at('no.lke'))).toBe(false);
    expect(readdirSync(world.dir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is refused where it was cut or a bit of it flipped', async () => {
    const bytes = readFileSync(whole);
    const bad = at('bad.lke');
    for (let i = 0; i < 12; i++) {
      const flipped = Buffer.from(bytes);
      const place = Math.floor(((i + 0.5) * bytes.length) / 12);
      flipped[place] = (flipped[place] ?? 0) ^ 1;
      writeFileSync(bad, flipped);
      expect((await verify(bad, '--pin', pin)).exit, `bit at ${place}`).toBe(3);
    }
    for (const part of [0, 0.3, 0.9]) {
      writeFileSync(bad, bytes.subarray(0, Math.floor(bytes.length * part)));
      expect((await verify(bad, '--pin', pin)).exit).toBe(3);
    }
  });

  /** The archive made again by somebody who can: digests and manifest fit, unless it is the manifest that is meant. */
  const forged = async (
    file: string,
    change: (members: Members) => Members,
    { signed = false } = {},
  ): Promise<Said> => {
    const all = await membersOf(file);
    const inner = all.filter(([path]) => path !== 'manifest.json' && path !== 'signature.json');
    const changed = change(inner);
    const members = changed.map(([path, bytes]) => ({ path, size: bytes.length, sha256: sha256(bytes) }));
    const manifest = Buffer.from(pretty({ lockkeeper: 'evidence-manifest/v1', members }));
    const bad = at('forged.lke');
    const archive = await writeArchive(bad);
    for (const [path, bytes] of changed) await archive.put(path, bytes);
    await archive.put('manifest.json', manifest);
    if (signed)
      for (const [path, bytes] of all) if (path === 'signature.json') await archive.put(path, bytes);
    await archive.close();
    return verify(bad, '--pin', pin);
  };
  /** What the changes look at in lines of records, of the log and of all that was decided. */
  interface Line {
    readonly seq?: number;
    readonly previous?: unknown;
    readonly kind?: string;
    readonly approval?: { readonly signatures: unknown };
    readonly call?: object;
    readonly rejection?: object;
    readonly revocation?: object;
    readonly report?: string;
    readonly lock?: {
      readonly lock: {
        readonly servers: { readonly echo: { readonly permissions: { readonly limits: { pids: number } } } };
      };
    };
  }
  interface Head {
    readonly checkpoints: { end: string; readonly newest: string };
    edge: string[];
    readonly growth: { end: string[] };
    readonly roots: unknown[];
  }
  const lines =
    <L = Line>(folder: string, change: (lines: L[]) => L[]) =>
    (members: Members): Members =>
      members.map(([path, bytes]) => {
        if (!path.startsWith(folder)) return [path, bytes];
        const parsed = bytes
          .toString()
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as L);
        return [
          path,
          Buffer.from(
            change(parsed)
              .map((line) => `${JSON.stringify(line)}\n`)
              .join(''),
          ),
        ];
      });
  const head = (change: (head: Head) => void): ((members: Members) => Members) =>
    lines('evidence.json', (all) => all) &&
    ((members) =>
      members.map(([path, bytes]) => {
        if (path !== 'evidence.json') return [path, bytes];
        const file = JSON.parse(bytes.toString());
        change(file.head);
        return [path, Buffer.from(pretty(file))];
      }));
  const isRecord = (line: Line): line is AuditRecord => line.seq !== undefined;

  it('holds as it is when it is only made again', async () => {
    expect((await forged(whole, (all) => all)).exit).toBe(0);
    expect((await forged(whole, (all) => all, { signed: true })).exit).toBe(0);
  });

  const CHANGES: readonly [string, 'whole' | 'later', (members: Members) => Members, string, number][] = [
    [
      'a record says something else',
      'whole',
      lines('audit', (all) =>
        all.map((line) =>
          isRecord(line) && line.seq === 3 ? { ...line, body: { ...line.body, user: 'bob' } } : line,
        ),
      ),
      'JOURNAL_CHAIN',
      9,
    ],
    [
      'a record and every digest after it',
      'whole',
      lines('audit', (all) => {
        let prev: string | null = null;
        return all.map((line) => {
          if (!isRecord(line)) return line;
          const made = link(line.seq, prev, line.seq === 3 ? { ...line.body, user: 'bob' } : line.body);
          prev = made.digest;
          return made;
        });
      }),
      'JOURNAL_CHAIN',
      9,
    ],
    [
      'a record is gone',
      'whole',
      lines('audit', (all) => all.filter((line) => line.seq !== 3)),
      'JOURNAL_CHAIN',
      9,
    ],
    ['the last record is gone', 'whole', lines('audit', (all) => all.slice(0, -1)), 'EVIDENCE_INCOMPLETE', 9],
    [
      'all records are gone',
      'whole',
      (all) => all.filter(([path]) => !path.startsWith('audit')),
      'EVIDENCE_INCOMPLETE',
      9,
    ],
    [
      'a record too many',
      'whole',
      lines('audit', (all) => [...all, ...all.slice(-1)]),
      'EVIDENCE_INCOMPLETE',
      9,
    ],
    [
      'a journal that claims to begin here',
      'later',
      lines('audit', (all) => all.map((line) => (line.previous ? { ...line, previous: null } : line))),
      'JOURNAL_CHAIN',
      9,
    ],
    [
      'an approval is gone',
      'whole',
      lines('things', (all) => all.filter((line, at) => !(line.approval && all[at + 1]?.approval))),
      'EVIDENCE_INCOMPLETE',
      7,
    ],
    [
      'an approval that was never logged',
      'whole',
      lines('things', (all) => all.flatMap((line) => (line.approval ? [line, line] : [line]))),
      'EVIDENCE_INCOMPLETE',
      7,
    ],
    [
      'an approval under the name of another',
      'whole',
      lines('things', (all) =>
        all.map((line) =>
          line.approval
            ? {
                ...line,
                approval: {
                  ...line.approval,
                  signatures: all.findLast((one) => one.approval)?.approval?.signatures,
                },
              }
            : line,
        ),
      ),
      'EVIDENCE_INCOMPLETE',
      7,
    ],
    [
      'an earlier approval is gone',
      'later',
      (all) => all.filter(([path]) => !path.startsWith('earlier')),
      'APPROVAL_SUBJECT',
      8,
    ],
    [
      'an earlier approval that is not in the log',
      'later',
      lines<{ readonly logged: { readonly index: number } }>('earlier', (all) =>
        all.map((line) => ({ ...line, logged: { ...line.logged, index: line.logged.index + 1 } })),
      ),
      'LOG_INCLUSION',
      8,
    ],
    [
      'an approval of a call is gone',
      'whole',
      lines('things', (all) => all.filter((line) => !line.call)),
      'EVIDENCE_INCOMPLETE',
      7,
    ],
    [
      'an approval of another call',
      'whole',
      lines('things', (all) =>
        all.map((line) =>
          line.call ? { ...line, call: { ...line.call, payloadType: 'text/plain' } } : line,
        ),
      ),
      'EVIDENCE_INCOMPLETE',
      7,
    ],
    [
      'a rejection for another reason',
      'later',
      lines('things', (all) =>
        all.map((line) =>
          line.rejection ? { ...line, rejection: { ...line.rejection, reason: 'it was late' } } : line,
        ),
      ),
      'EVIDENCE_INCOMPLETE',
      7,
    ],
    [
      'a revocation is gone',
      'later',
      lines('things', (all) => all.filter((line) => !line.revocation)),
      'EVIDENCE_INCOMPLETE',
      7,
    ],
    [
      'a lock with another permission',
      'whole',
      lines('things', (all) =>
        all.map((line) => {
          if (line.lock) line.lock.lock.servers.echo.permissions.limits.pids = 4000;
          return line;
        }),
      ),
      'EVIDENCE_INCOMPLETE',
      8,
    ],
    [
      'a report that says ok',
      'whole',
      lines('things', (all) =>
        all.map((line) =>
          line.report ? { ...line, report: line.report.replace('"trial":false', '"trial":true') } : line,
        ),
      ),
      'EVIDENCE_INCOMPLETE',
      6,
    ],
    [
      'an entry of the log is gone',
      'whole',
      lines('log', (all) => all.slice(0, -1)),
      'EVIDENCE_INCOMPLETE',
      9,
    ],
    [
      'the log is cut with what it named',
      'whole',
      (all) =>
        lines('log', (entries) => entries.filter(({ kind }) => kind !== 'audit'))(
          all.filter(([path]) => !path.startsWith('audit')),
        ),
      'EVIDENCE_INCOMPLETE',
      5,
    ],
    [
      'the log ends sooner',
      'whole',
      head((told) => {
        told.checkpoints.end = told.checkpoints.newest.replace(/\n\d+\n/, '\n5\n');
      }),
      'LOG_SIGNATURE',
      4,
    ],
    [
      'the log begins elsewhere',
      'later',
      head((told) => {
        told.edge = told.edge.map(() => Buffer.alloc(32, 1).toString('base64'));
      }),
      'EVIDENCE_INCOMPLETE',
      4,
    ],
    [
      'no proof that the log grew',
      'later',
      head((told) => {
        told.growth.end = [];
      }),
      'LOG_FORK',
      4,
    ],
    [
      'a root is gone',
      'whole',
      head((told) => {
        told.roots.pop();
      }),
      'EVIDENCE_INCOMPLETE',
      2,
    ],
    [
      'a member of another kind',
      'whole',
      (all) => [...all, ['notes/readme.ndjson', Buffer.from('{}\n')]],
      'EVIDENCE_INCOMPLETE',
      1,
    ],
  ];
  it.each(CHANGES)('is refused: %s', async (_label, which, change, code, step) => {
    const said = await forged(which === 'whole' ? whole : later, change);
    expect([said.exit, ...failed(said)], String(said.data.sentence)).toEqual([3, code, step]);
  });

  it('is refused under a changed manifest, by its signature, and when a signature was asked for', async () => {
    const respaced = (members: Members): Members =>
      members.map(([path, bytes]) =>
        path === 'evidence.json' ? [path, Buffer.concat([bytes, Buffer.from(' ')])] : [path, bytes],
      );
    const said = await forged(whole, respaced, { signed: true });
    expect([said.exit, ...failed(said)]).toEqual([3, 'SIGNATURE_INVALID', 10]);
    const bad = at('manifest.lke');
    const archive = await writeArchive(bad);
    for (const [path, bytes] of await membersOf(whole))
      await archive.put(
        path,
        path === 'manifest.json' ? Buffer.from(bytes.toString().replace('"size": ', '"size": 1')) : bytes,
      );
    await archive.close();
    const changed = await verify(bad, '--pin', pin);
    expect([
      changed.exit,
      changed.data.code === 'EVIDENCE_INCOMPLETE' || changed.data.code === 'SIGNATURE_INVALID',
    ]).toEqual([3, true]);
    const { keyid } = first.signedBy as { keyid: string };
    expect((await verify(whole, '--pin', pin, '--signed-by', keyid)).exit).toBe(0);
    expect(failed(await verify(later, '--pin', pin, '--signed-by', keyid))).toEqual([
      'SIGNATURE_INVALID',
      10,
    ]);
  });
});
