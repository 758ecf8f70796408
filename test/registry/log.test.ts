import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appendEntries } from '../../registry/db/log.ts';
import { withTransaction } from '../../registry/db/pool.ts';
import type { LogEntries, Logged, LogProof, LogView } from '../../schemas/log.ts';
import { logEntryBytes, logLeaf } from '../../schemas/log.ts';
import { verifyConsistency, verifyInclusion } from '../../schemas/merkle.ts';
import { type Checkpoint, parseNote, readCheckpoint, readNoteKey, signersOf } from '../../schemas/note.ts';
import { servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';

describe.each(servers())('the log on $name', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;
  let release: number;

  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher', 'runtime');
    alice = await registry.reviewer('alice');
    bob = await registry.reviewer('bob');
    release = await registry.approved('dave', [alice, bob]);
  });
  afterAll(() => registry.close());

  const head = async (): Promise<Checkpoint> => {
    const { key, checkpoint } = (await registry.call<LogView>(null, 'GET', '/v1/log')).body;
    const note = parseNote(checkpoint);
    const verifier = readNoteKey(key);
    expect(signersOf(note, [verifier])?.has(verifier.name)).toBe(true);
    return readCheckpoint(note.text);
  };
  const entries = async (): Promise<Logged[]> =>
    (await registry.call<LogEntries>('alice', 'GET', '/v1/log/entries?start=0')).body.entries;
  const proof = async (url: string): Promise<Buffer[]> =>
    (await registry.call<LogProof>(null, 'GET', url)).body.proof.map((hash) => Buffer.from(hash, 'base64'));
  const grew = async (from: Checkpoint, to: Checkpoint): Promise<boolean> =>
    verifyConsistency({
      size1: from.size,
      size2: to.size,
      root1: from.root,
      root2: to.root,
      proof: await proof(`/v1/log/consistency?from=${from.size}&to=${to.size}`),
    });

  it('has every submission, verdict, approval and root, in order', async () => {
    const kinds = (await entries()).map(({ kind }) => kind);
    expect(kinds).toEqual(['root', 'root', 'root', 'submission', 'verdict', 'approval', 'approval']);
  });

  it('proves an approval to whoever holds it, and nothing to whoever holds another', async () => {
    const { size, root } = await head();
    const { body } = await registry.call('bob', 'GET', `/v1/releases/${release}`);
    const [first] = body.approvals;
    if (!first) throw new Error('no approval');
    const subject = `${body.name}@${body.version}`;
    const index = (await entries()).findIndex(({ digest }) => digest === first.digest);
    const path = await proof(`/v1/log/inclusion?index=${index}&size=${size}`);
    const leaf = logLeaf({ kind: 'approval', subject, digest: first.digest });
    expect(verifyInclusion({ index, size, leaf, proof: path, root })).toBe(true);
    const other = logLeaf({ kind: 'approval', subject, digest: `sha256:${'0'.repeat(64)}` });
    expect(verifyInclusion({ index, size, leaf: other, proof: path, root })).toBe(false);
  });

  it('grows, and signs one checkpoint for one size', async () => {
    const before = await head();
    expect(await head()).toEqual(before);
    await registry.call('bob', 'POST', `/v1/releases/${release}/revoke`, { reason: 'found a hole' });
    const after = await head();
    expect(after.size).toBe(before.size + 1);
    expect((await entries()).at(-1)).toMatchObject({
      kind: 'revocation',
      subject: 'acme.tools/weather@1.2.3',
    });
    expect(await grew(before, after)).toBe(true);
  });

  it('has what is committed and nothing else, whoever races', async () => {
    const before = await head();
    const entry = (n: number): Buffer =>
      logEntryBytes({ kind: 'audit', subject: `r#${n}`, digest: `sha256:${'1'.repeat(64)}` });
    const one = (n: number): Promise<number> =>
      withTransaction(registry.pool, (client) => appendEntries(client, [entry(n)]));
    const failing = withTransaction(registry.pool, async (client) => {
      await appendEntries(client, [entry(99)]);
      throw new Error('changed my mind');
    });
    const [indexes] = await Promise.all([
      Promise.all(Array.from({ length: 30 }, (_, n) => one(n))),
      failing.catch(() => undefined),
    ]);
    expect([...indexes].sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => before.size + n));
    await withTransaction(registry.pool, (client) =>
      appendEntries(
        client,
        Array.from({ length: 100 }, (_, n) => entry(n)),
      ),
    );
    const after = await head();
    expect(after.size).toBe(before.size + 130);
    expect(await grew(before, after)).toBe(true);
  });

  it.each([
    ['a size beyond the log', '/v1/log/consistency?from=1&to=100000'],
    ['sizes the wrong way round', '/v1/log/consistency?from=9&to=2'],
    ['the empty tree', '/v1/log/consistency?from=0&to=2'],
    ['an index outside', '/v1/log/inclusion?index=5&size=5'],
    ['a negative index', '/v1/log/inclusion?index=-1&size=5'],
    ['a number that is none', '/v1/log/inclusion?index=one&size=5'],
  ])('refuses %s', async (_, url) => {
    expect((await registry.call(null, 'GET', url)).body.code).toBe('REQUEST_INVALID');
  });

  it('shows its entries to people of the house alone', async () => {
    expect((await registry.call(null, 'GET', '/v1/log/entries?start=0')).status).toBe(401);
  });

  it('cannot be changed by the application', async () => {
    for (const sql of [
      'delete from log_entries',
      'update log_nodes set hash = hash',
      'truncate log_checkpoints',
    ])
      await expect(registry.pool.query(sql)).rejects.toThrow('append-only');
  });

  it('gives itself away to who remembers a checkpoint, when a superuser rewrites it', async () => {
    const remembered = await head();
    await registry.pool.query(`
      alter table log_entries disable trigger all; alter table log_nodes disable trigger all;
      alter table log_checkpoints disable trigger all;
      delete from log_checkpoints; delete from log_nodes;`);
    const { rows } = await registry.pool.query<{ entry: Buffer }>('delete from log_entries returning entry');
    const forged = rows.map(({ entry }, n) =>
      n === 5 ? Buffer.from(entry.toString().replace('approval', 'rejection')) : entry,
    );
    await withTransaction(registry.pool, (client) =>
      appendEntries(client, [...forged, ...forged.slice(0, 3)]),
    );
    const now = await head();
    expect(now.size).toBe(remembered.size + 3);
    expect(await grew(remembered, now)).toBe(false);
  });
});
