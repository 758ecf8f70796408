/** A release that is revoked while it runs: sealed, recorded, dead. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Journal, openJournal } from '../../../runtime/journal/journal.ts';
import { bodyOf } from '../../../runtime/journal/noted.ts';
import { readJournal, verifyJournal } from '../../../runtime/journal/read.ts';
import { watchRevocations } from '../../../runtime/trust/revocations.ts';
import { openRoot } from '../../../runtime/trust/root.ts';
import { STATEMENT_TYPE } from '../../../schemas/approval.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import { seal } from '../../../schemas/dsse.ts';
import { canonical, digestOf } from '../../../schemas/json.ts';
import { type RevocationEvent, revocationOf } from '../../../schemas/revocation.ts';
import { openDir, sandboxedScripted } from '../../helpers/sandbox.ts';
import { codeOf, openSession, type SessionSetup, startSession, tempDir } from '../../helpers/session.ts';
import { type Key, makeEntry, makeRoot, NOW, people, pin } from '../../helpers/trust.ts';
import { until } from '../../helpers/wait.ts';

const entry = makeEntry();
const release = { server: entry.server, version: entry.version, closureDigest: entry.closure.digest };
const trusted = openRoot({ root: makeRoot(), rootChain: [] }, pin, NOW);

function eventOf(change: Partial<RevocationEvent> = {}, by: Key | null = people.alice): RevocationEvent {
  const facts = { reason: 'found a hole', revokedBy: by?.person ?? 'root', at: NOW.toISOString() };
  const statement = revocationOf({ ...release, ...facts });
  const envelope = by && seal(STATEMENT_TYPE, Buffer.from(canonical(statement)), [by.key]);
  const digest = digestOf(envelope ?? statement);
  return { id: 1, ...release, ...facts, signedBy: by?.person ?? null, digest, envelope, ...change };
}

/** A session with a watcher, and the registry's side of it. */
function watched(): { setup: SessionSetup; announce: (event: unknown) => void; ended: () => boolean } {
  let take: (event: unknown) => void = () => undefined;
  let over: AbortSignal | undefined;
  const source = {
    subscribe: (_: string, to: typeof take, signal: AbortSignal): void => {
      take = to;
      over = signal;
    },
  };
  return {
    setup: { watch: (revoked) => watchRevocations({ release, trusted, source }, revoked) },
    announce: (event) => take(event),
    ended: () => over?.aborted === true,
  };
}

/** A process that was killed and waits for its parent to take notice of it runs nothing any more. */
const isAlive = (pid: number | undefined): boolean =>
  existsSync(`/proc/${pid}`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
const act = (what: string) => ({ name: 'act', arguments: { what } });

describe('a release that is revoked while it runs', () => {
  it('ends calls in flight, forwards nothing more, is recorded and leaves no process', async () => {
    const { setup, announce, ended } = watched();
    const session = await openSession(setup);
    const pid = session.process()?.pid;
    const inFlight = session.request(1, 'tools/call', act('never'));
    await until(() => session.calls().length !== 0);
    const began = performance.now();
    announce(eventOf());
    session.send({ id: 2, method: 'tools/call', params: act('after') });
    expect(codeOf(await inFlight)).toBe('RELEASE_REVOKED');
    expect(codeOf(await session.request(2, 'ping'))).toBe('RELEASE_REVOKED');
    const end = await session.end;
    expect(performance.now() - began, 'calls that go on would be waited for').toBeLessThan(15_000);
    expect([end.reason, end.error?.code]).toEqual(['revoked', 'RELEASE_REVOKED']);
    expect(end.error?.message).toContain('found a hole');
    expect(isAlive(pid)).toBe(false);
    expect(ended()).toBe(true);
    expect(session.calls()).toHaveLength(1);
    const records = await session.records();
    const { kind, code, detail } = records.find((record) => record.kind === 'quarantined') as AuditBody;
    expect([kind, code]).toEqual(['quarantined', 'RELEASE_REVOKED']);
    expect(detail).toMatchObject({ revokedBy: 'alice', signedBy: 'alice', doubt: null, onRevoke: 'end' });
    expect(records.at(-1)).toMatchObject({ kind: 'session.ended', code: 'RELEASE_REVOKED' });
    expect(records.filter((record) => record.kind === 'request.forwarded')).toHaveLength(1);
    await verifyJournal(join(session.dir, 'journal'));
  });

  it('has its record on the disk before the kill, and kills though the record cannot be kept', async () => {
    const dir = tempDir();
    const journal = await openJournal(join(dir, 'journal'));
    let aliveAtRecord: boolean | undefined;
    const { setup, announce } = watched();
    const spied: Journal = {
      ...journal,
      append: async (body) => {
        const seq = await journal.append(body);
        if (body.kind === 'quarantined') {
          aliveAtRecord = isAlive(session.process()?.pid);
          const kinds: string[] = [];
          for await (const record of readJournal(join(dir, 'journal'))) kinds.push(record.body.kind);
          expect(kinds).toContain('quarantined');
        }
        return seq;
      },
    };
    const session = await openSession({ ...setup, journal: spied });
    announce(eventOf());
    await session.end;
    expect(aliveAtRecord).toBe(true);

    const stuck = watched();
    const never: Journal = {
      ...journal,
      append: (body) => (body.kind === 'quarantined' ? new Promise(() => undefined) : journal.append(body)),
    };
    const other = await openSession({ ...stuck.setup, journal: never });
    const pid = other.process()?.pid;
    stuck.announce(eventOf());
    await other.end;
    expect(isAlive(pid)).toBe(false);
  });

  it('with `finish` lets what was asked be answered, and nothing else', async () => {
    const { setup, announce } = watched();
    const session = await openSession({ ...setup, onRevoke: 'finish' });
    session.send({ id: 1, method: 'tools/call', params: act('late') });
    session.send({ id: 2, method: 'tools/call', params: act('late') });
    await until(() => session.calls().length >= 2);
    announce(eventOf());
    expect(codeOf(await session.request(3, 'tools/call', act('more')))).toBe('RELEASE_REVOKED');
    session
      .process()
      ?.stdin.write(
        '{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"act","arguments":{"what":"settle"}}}\n',
      );
    for (const id of [1, 2])
      expect((await session.next((message) => message.id === id)).result).toMatchObject({ content: [{}] });
    expect((await session.end).reason).toBe('revoked');
    expect(
      session
        .calls()
        .map((call) => JSON.stringify(call))
        .join(),
    ).not.toContain('more');
  });

  it('with `finish` waits for at most five seconds', async () => {
    const { setup, announce } = watched();
    const session = await openSession({ ...setup, onRevoke: 'finish' });
    const pid = session.process()?.pid;
    const asked = session.request(1, 'tools/call', act('never'));
    await until(() => session.calls().length !== 0);
    const began = performance.now();
    announce(eventOf());
    expect(codeOf(await asked)).toBe('RELEASE_REVOKED');
    await session.end;
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(3500);
    expect(took, 'the call itself never ends').toBeLessThan(15_000);
    expect(isAlive(pid)).toBe(false);
  });

  it('sends nothing whose record was still on its way to the disk', async () => {
    const { setup, announce } = watched();
    const journal = await openJournal(join(tempDir(), 'journal'));
    const kept: AuditBody[] = [];
    const onItsWay = Promise.withResolvers<void>();
    const slow: Journal = {
      ...journal,
      note: (noted) =>
        journal.note(() => {
          const body = bodyOf(noted);
          kept.push(body);
          return body;
        }),
      append: async (body) => {
        kept.push(body);
        if (body.kind === 'request.forwarded') await onItsWay.promise;
        return journal.append(body);
      },
    };
    const session = await openSession({ ...setup, journal: slow, onRevoke: 'finish' });
    const asked = session.request(1, 'tools/call', act('never'));
    await until(() => kept.some(({ kind }) => kind === 'request.forwarded'));
    announce(eventOf());
    await until(() => kept.some(({ kind }) => kind === 'quarantined'));
    onItsWay.resolve();
    expect(codeOf(await asked)).toBe('RELEASE_REVOKED');
    await session.end;
    expect(session.calls()).toEqual([]);
    const call = kept.find(({ kind }) => kind === 'request.forwarded')?.call;
    expect(kept.find((body) => body.kind === 'request.finished' && body.call === call)).toMatchObject({
      outcome: 'lost',
      message: 'revoked before it was sent',
    });
  });

  it('ends as revoked though its client closes in the same moment', async () => {
    const { setup, announce } = watched();
    const session = await openSession(setup);
    announce(eventOf());
    const end = await session.close();
    expect([end.reason, end.error?.code]).toEqual(['revoked', 'RELEASE_REVOKED']);
    expect((await session.records()).map(({ kind }) => kind)).toContain('quarantined');
  });

  it('takes everything inside the sandbox along', async () => {
    const dir = openDir();
    mkdirSync(join(dir, 'mount'), { recursive: true });
    const { setup, announce } = watched();
    const session = await openSession({ ...setup, start: () => sandboxedScripted(dir) });
    const pid = session.process()?.pid;
    const inside = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    announce(eventOf());
    await session.end;
    // The kernel takes the namespace down after its first process.
    for (const one of [pid, ...inside.map(Number)]) await expect.poll(() => isAlive(one)).toBe(false);
  });

  it('while it starts: the greeting is refused', async () => {
    const { setup, announce } = watched();
    const session = await startSession({ ...setup, how: 'silent' });
    session.send({
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {} },
    });
    await sleep(200);
    announce(eventOf());
    expect(codeOf(await session.next((message) => message.id === 0))).toBe('RELEASE_REVOKED');
    expect((await session.end).error?.code).toBe('RELEASE_REVOKED');
  });

  it.each<[string, RevocationEvent, string | null, RegExp | null]>([
    ['nobody signed', eventOf({}, null), null, null],
    ['a stranger signed', eventOf({}, people.mallory), null, /not enrolled/],
    [
      'the signature is for other bytes',
      eventOf({ envelope: eventOf({}, people.bob).envelope }),
      'bob',
      null,
    ],
    [
      'the signature is broken',
      eventOf({
        envelope: { ...(eventOf().envelope as NonNullable<RevocationEvent['envelope']>), payload: 'e30=' },
      }),
      null,
      /does not verify/,
    ],
  ])('is believed though %s; the record says what vouched for it', async (_name, event, signedBy, doubt) => {
    const { setup, announce } = watched();
    const session = await openSession(setup);
    announce(event);
    expect((await session.end).reason).toBe('revoked');
    const detail = (await session.records()).find((record) => record.kind === 'quarantined')?.detail;
    expect(detail).toMatchObject({ signedBy, doubt: doubt ? expect.stringMatching(doubt) : null });
  });

  it('is not taken for another one, and nonsense does nothing', async () => {
    const { setup, announce, ended } = watched();
    const session = await openSession(setup);
    for (const event of [
      eventOf({ version: '1.2.4' }),
      eventOf({ server: 'acme.tools/other' }),
      null,
      undefined,
      [],
      'revoked',
      {},
      { ...eventOf(), id: 'x' },
      { ...eventOf(), more: true },
      { ...eventOf(), reason: 'x'.repeat(1_000_000) },
    ])
      announce(event);
    const echo = await session.request(1, 'tools/call', { name: 'echo', arguments: { message: 'hi' } });
    expect(echo.result).toMatchObject({ content: [{ text: 'hi' }] });
    expect((await session.close()).reason).toBe('client closed');
    expect(ended()).toBe(true);
  });
});
