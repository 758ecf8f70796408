/** A root ceremony of several laptops, through the command line alone: the file is passed by copying it. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Company, foundCompany } from '../cli/drill/company.ts';
import type { JsonObject } from '../schemas/common.ts';
import { canonical, sha256 } from '../schemas/json.ts';
import { here } from './helpers/here.ts';
import { databaseUrl } from './helpers/registry.ts';
import { startAgent, type TestAgent } from './helpers/ssh-agent.ts';

describe('a root kept offline by its holders', () => {
  let dir: string;
  let company: Company;
  let agent: TestAgent;
  const holders = ['ruth', 'sam', 'tess'];
  const fileOf = (person: string): string => join(dir, `${person}.root.json`);
  const pub = (person: string): string => join(dir, `${person}.pub`);
  const pass = (from: string, to: string): void => copyFileSync(fileOf(from), fileOf(to));
  const root = (person: string, verb: string, ...words: string[]): Promise<JsonObject> =>
    company.must(person, 'keys', 'root', verb, fileOf(person), ...words);
  const codeOf = (said: { data: JsonObject }): unknown => (said.data.error as JsonObject)?.code;
  /** What the holders compare where a machine does not know the root before: its first digits. */
  const compared = (person: string): string[] => {
    const { previous } = JSON.parse(readFileSync(fileOf(person), 'utf8'));
    return ['--previous', sha256(Buffer.from(previous.payload, 'base64')).slice(7, 39)];
  };
  /** Signed by ruth on her laptop and sam on his, handed in by the administrator. */
  const byTwo = async (how = (_: string): string[] => []): Promise<JsonObject> => {
    pass('admin', 'ruth');
    await root('ruth', 'sign', '--key', 'root', ...how('ruth'));
    pass('ruth', 'sam');
    await root('sam', 'sign', '--key', 'root', ...how('sam'));
    pass('sam', 'admin');
    return root('admin', 'submit');
  };
  const join_ = async (person: string, roles: string): Promise<void> => {
    const { code } = await company.must('admin', 'people', 'add', person, '--roles', roles);
    await company.must(person, 'login', company.url, '--code', String(code));
  };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-ceremony-'));
    chmodSync(dir, 0o755);
    agent = await startAgent();
    agent.add('ruth@laptop');
    const environment = { ...process.env, SSH_AUTH_SOCK: agent.socket };
    const database = await databaseUrl();
    company = await foundCompany({
      dir,
      npmRegistry: 'http://127.0.0.1:9',
      environment,
      database,
      speaks: here,
    });
    for (const person of holders) {
      // ruth's key stays in her SSH agent; nothing else that she does is different.
      await company.must(
        person,
        'keys',
        'new',
        '--name',
        'root',
        ...(person === 'ruth' ? ['--ssh-agent'] : []),
      );
      const { publicKey } = await company.must(person, 'keys', 'show', '--name', 'root');
      writeFileSync(pub(person), String(publicKey));
    }
    await join_('erin', 'developer');
    const { rootKeys } = JSON.parse(readFileSync(join(dir, 'machines/erin/credentials.json'), 'utf8'))
      .signIns[0];
    const intent = {
      lockkeeper: 'intent/v1',
      project: 'acme/app',
      environment: 'development',
      registry: company.url,
      trust: { rootKeys, threshold: 1 },
      servers: {},
    };
    writeFileSync(join(dir, 'project/lockkeeper.json'), JSON.stringify(intent));
  });
  afterAll(async () => {
    await company?.close();
    await agent?.close();
  });

  it('takes the root over from the registry: two of three, each on their own laptop', async () => {
    await company.must('erin', 'lock');
    await root('admin', 'init');
    for (const person of holders)
      await root('admin', 'add', '--role', 'root', '--person', person, '--public-key', pub(person));
    await root('admin', 'remove', '--role', 'root', '--person', 'lockkeeper');
    const { changes } = await root('admin', 'set', '--threshold', 'root=2');
    expect((changes as string[]).map((line) => line.replace(/ \(key .*/, ''))).toEqual([
      '+ root ruth',
      '+ root sam',
      '+ root tess',
      '- root lockkeeper',
      '~ roots needed: 1 -> 2',
    ]);
    pass('admin', 'ruth');
    // Her laptop never saw the root before: all is shown, and nothing signed until she says that she compared it.
    const shown = await root('ruth', 'show');
    expect(shown).toMatchObject({ known: false });
    expect(
      (shown.changes as string[]).filter((line) => /^\+ (approver|lock|log key)/.test(line)),
    ).not.toEqual([]);
    const unread = await company.lk('ruth', 'keys', 'root', 'sign', fileOf('ruth'), '--key', 'root');
    expect([unread.exit, codeOf(unread)]).toEqual([4, 'ROOT_UNPINNED']);
    for (const wrong of ['0'.repeat(64), compared('ruth')[1]?.slice(0, 31) ?? '']) {
      const words = ['sign', fileOf('ruth'), '--key', 'root', '--previous', wrong];
      expect(codeOf(await company.lk('ruth', 'keys', 'root', ...words))).toBe('ROOT_FORK');
    }
    expect(JSON.parse(readFileSync(fileOf('ruth'), 'utf8')).signatures).toEqual([]);
    const once = await root('ruth', 'sign', '--key', 'root', ...compared('ruth'));
    expect(once.signatures).toMatchObject({ own: { signed: ['ruth'], needed: 2, missing: ['sam', 'tess'] } });
    const early = await company.lk('admin', 'keys', 'root', 'submit', fileOf('ruth'));
    expect([early.exit, codeOf(early)]).toEqual([3, 'ROOT_UNTRUSTED']);
    expect(await byTwo(compared)).toEqual({ version: 2 });
  });

  it('is not signed after a root that whoever passes the file on made up to hide what they add', async () => {
    await root('admin', 'init');
    await company.must('mallory', 'keys', 'new', '--name', 'own');
    const { publicKey } = await company.must('mallory', 'keys', 'show', '--name', 'own');
    writeFileSync(pub('mallory'), String(publicKey));
    const words = ['--role', 'approver', '--person', 'mallory', '--public-key', pub('mallory')];
    expect((await root('admin', 'add', ...words)).changes).toHaveLength(1);
    const draft = JSON.parse(readFileSync(fileOf('admin'), 'utf8'));
    // The same addition in the root before: against that one nothing changes.
    const before = JSON.parse(Buffer.from(draft.previous.payload, 'base64').toString('utf8'));
    const made = { ...before, keys: draft.root.keys, roles: draft.root.roles };
    draft.previous.payload = Buffer.from(canonical(made)).toString('base64');
    for (const person of ['admin', 'ruth', 'erin']) writeFileSync(fileOf(person), JSON.stringify(draft));
    expect(String((await root('ruth', 'show')).changes)).toContain('+ approver mallory');
    const holder = await company.lk('ruth', 'keys', 'root', 'sign', fileOf('ruth'), '--key', 'root');
    expect([holder.exit, codeOf(holder)]).toEqual([4, 'ROOT_UNPINNED']);
    // Who believed the true one says more.
    expect(codeOf(await company.lk('admin', 'keys', 'root', 'show', fileOf('admin')))).toBe('ROOT_FORK');
    // Nor after an older one that is true.
    draft.previous = JSON.parse(readFileSync(fileOf('sam'), 'utf8')).previous;
    draft.root.version = 2;
    writeFileSync(fileOf('admin'), JSON.stringify(draft));
    expect(codeOf(await company.lk('admin', 'keys', 'root', 'show', fileOf('admin')))).toBe('ROOT_ROLLBACK');
    expect(JSON.parse(readFileSync(fileOf('ruth'), 'utf8')).signatures).toEqual([]);
  });

  it('is not taken back by the key that the registry had before', async () => {
    mkdirSync(join(dir, 'machines/admin/keys'), { recursive: true });
    copyFileSync(join(dir, 'registry/keys/root.pem'), join(dir, 'machines/admin/keys/former.pem'));
    const { publicKey } = await company.must('admin', 'keys', 'show', '--name', 'former');
    writeFileSync(pub('former'), String(publicKey));
    await root('admin', 'init');
    await root('admin', 'add', '--role', 'root', '--person', 'lockkeeper', '--public-key', pub('former'));
    for (const person of holders) await root('admin', 'remove', '--role', 'root', '--person', person);
    await root('admin', 'set', '--threshold', 'root=1');
    await root('admin', 'sign', '--key', 'former');
    const back = await company.lk('admin', 'keys', 'root', 'submit', fileOf('admin'));
    expect([back.exit, codeOf(back)]).toEqual([3, 'ROOT_UNTRUSTED']);
  });

  it('is followed along the chain by who pinned the root before it, and pinned anew when asked', async () => {
    await company.must('erin', 'lock');
    await company.must('erin', 'ci');
    const { moved, threshold } = await company.must('erin', 'keys', 'root', 'follow');
    expect(threshold).toBe(2);
    expect(moved).toEqual(['the sign-in of erin', join(dir, 'project/lockkeeper.json')]);
    await company.must('erin', 'ci');
    await company.must('erin', 'lock');
    expect((await company.must('erin', 'keys', 'root', 'follow')).moved).toEqual([]);
  });

  it('leaves the registry nothing to change by itself', async () => {
    await join_('carol', 'reviewer');
    await company.must('carol', 'keys', 'new');
    const enrol = await company.lk('carol', 'keys', 'enrol');
    expect([enrol.exit, codeOf(enrol)]).toEqual([3, 'ROOT_OFFLINE']);
    const rotate = await company.lk('admin', 'keys', 'rotate', 'lock');
    expect([rotate.exit, codeOf(rotate)]).toEqual([3, 'ROOT_OFFLINE']);
  });

  it('takes a reviewer in, and out again, by its holders alone', async () => {
    const { publicKey } = await company.must('carol', 'keys', 'show');
    writeFileSync(pub('carol'), String(publicKey));
    await root('admin', 'init');
    const roles = ['--role', 'approver', '--role', 'revoker'];
    await root('admin', 'add', ...roles, '--person', 'carol', '--public-key', pub('carol'));
    expect(await byTwo()).toEqual({ version: 3 });
    const removed = await company.must('admin', 'people', 'remove', 'carol');
    expect(removed).toMatchObject({ rootPending: true });
    await root('admin', 'init');
    expect((await root('admin', 'remove', ...roles, '--person', 'carol')).changes).toHaveLength(2);
    expect(await byTwo()).toEqual({ version: 4 });
  });

  it('drops signatures when the text changes after them', async () => {
    await root('admin', 'init');
    pass('admin', 'ruth');
    await root('ruth', 'sign', '--key', 'root');
    const changed = await root('ruth', 'set', '--lock-hours', '300');
    expect(changed.signatures).toMatchObject({ own: { signed: [] } });
    const text = readFileSync(fileOf('ruth'), 'utf8');
    await root('ruth', 'sign', '--key', 'root');
    const signed = JSON.parse(readFileSync(fileOf('ruth'), 'utf8')) as JsonObject;
    const forged = JSON.parse(text);
    forged.signatures = signed.signatures;
    forged.root.lifetimes.lockHours = 336;
    writeFileSync(fileOf('sam'), JSON.stringify(forged));
    expect((await root('sam', 'show')).signatures).toMatchObject({ own: { signed: [] } });
  });

  it('refuses a stranger’s key, a threshold nobody can meet, and a root that is not the next one', async () => {
    await root('admin', 'init');
    await company.must('mallory', 'keys', 'new', '--name', 'root');
    const stranger = await company.lk('mallory', 'keys', 'root', 'sign', fileOf('admin'), '--key', 'root');
    expect([stranger.exit, codeOf(stranger)]).toEqual([3, 'KEY_UNKNOWN']);
    await root('admin', 'set', '--threshold', 'root=4');
    pass('admin', 'ruth');
    const unmeetable = await company.lk('ruth', 'keys', 'root', 'sign', fileOf('ruth'), '--key', 'root');
    expect(codeOf(unmeetable)).toBe('ROOT_UNTRUSTED');
    await root('admin', 'set', '--threshold', 'root=2');
    expect(await byTwo()).toEqual({ version: 5 });
    const again = await company.lk('admin', 'keys', 'root', 'submit', fileOf('sam'));
    expect([again.exit, codeOf(again)]).toEqual([3, 'ROOT_UNTRUSTED']);
  });

  it('replaces the lock key and the log key: old locks still hold, new ones carry the new keys', async () => {
    await company.must('erin', 'lock');
    const lockFile = join(dir, 'project/mcp.lock');
    const before = JSON.parse(readFileSync(lockFile, 'utf8'));
    await root('admin', 'init');
    await root('admin', 'rotate', '--role', 'lock');
    await root('admin', 'rotate', '--role', 'log');
    await byTwo();
    await company.must('erin', 'ci');
    await company.must('erin', 'lock');
    const after = JSON.parse(readFileSync(lockFile, 'utf8'));
    expect(after.signatures[0].keyid).not.toBe(before.signatures[0].keyid);
    await company.must('erin', 'ci');
    await company.must('erin', 'verify');
  });

  it('replaces a holder, and the two who are left from before are enough', async () => {
    await company.must('uma', 'keys', 'new', '--name', 'root');
    const { publicKey } = await company.must('uma', 'keys', 'show', '--name', 'root');
    writeFileSync(pub('uma'), String(publicKey));
    await root('admin', 'init');
    await root('admin', 'remove', '--role', 'root', '--person', 'tess');
    await root('admin', 'add', '--role', 'root', '--person', 'uma', '--public-key', pub('uma'));
    await byTwo();
    await company.must('erin', 'lock');
    await company.must('erin', 'keys', 'root', 'follow');
    await company.must('erin', 'ci');
  });

  it('is followed where those who signed are not those who stay', async () => {
    await company.must('vic', 'keys', 'new', '--name', 'root');
    const { publicKey } = await company.must('vic', 'keys', 'show', '--name', 'root');
    writeFileSync(pub('vic'), String(publicKey));
    await root('admin', 'init');
    await root('admin', 'remove', '--role', 'root', '--person', 'sam');
    await root('admin', 'add', '--role', 'root', '--person', 'vic', '--public-key', pub('vic'));
    // Of the three that erin pinned ruth and uma are named still, and only ruth of them signed.
    pass('admin', 'vic');
    await root('vic', 'sign', '--key', 'root', ...compared('vic'));
    pass('vic', 'admin');
    await byTwo();
    await company.must('erin', 'lock');
    expect((await company.must('erin', 'keys', 'root', 'follow')).moved).toHaveLength(2);
    await company.must('erin', 'ci');
  });
});
