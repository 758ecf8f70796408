/** Releases made to end whoever scans them, all in one queue: each ends in a refusal or a finding, and the worker goes on. */
import { gzipSync } from 'node:zlib';
import { expect, it, onTestFinished } from 'vitest';
import { startWorker } from '../../registry/worker.ts';
import { scan } from '../../scanner/scan.ts';
import type { JsonObject } from '../../schemas/common.ts';
import type { LocalPackage } from '../helpers/npm-registry.ts';
import { servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';
import { type Entry, tarball } from '../helpers/tarball.ts';
import { until } from '../helpers/wait.ts';
import { hostile, plain, worldOf } from '../scanner/harness.ts';

const shows = {
  tools: [{ name: 'one', description: 'Does one.', inputSchema: { type: 'object', properties: {} } }],
};
const many = (count: number): Entry[] =>
  Array.from({ length: count }, (_, at) => ({ path: `package/${at}` }));
/** Names that every object has, as own members: how a parser makes them. */
const inherited = JSON.parse(
  '{"__proto__":{"bin":"evil.js"},"constructor":{"prototype":{"bin":"x"}},"scripts":{"__proto__":{"install":"x"}}}',
) as JsonObject;

const TEXTUAL = 'dependencies that are text';
const HOSTILE: readonly (readonly [string, LocalPackage, string])[] = [
  [
    'a link',
    plain(shows, { archive: tarball([{ path: 'package/a', type: 'SymbolicLink', linkpath: '/etc' }]) }),
    'ARCHIVE_HOSTILE',
  ],
  [
    'a device',
    plain(shows, { archive: tarball([{ path: 'package/a', type: 'CharacterDevice' }]) }),
    'ARCHIVE_HOSTILE',
  ],
  [
    'a bomb within an archive',
    plain(shows, { archive: gzipSync(gzipSync(Buffer.alloc(64 * 1024 ** 2))) }),
    'ARCHIVE_HOSTILE',
  ],
  ['a hundred thousand files and one', plain(shows, { archive: tarball(many(100_001)) }), 'ARCHIVE_HOSTILE'],
  [
    'a list of dependencies',
    plain(shows, { manifest: { dependencies: Array.from({ length: 50 }, () => 'x') } }),
    'CLOSURE_INCOMPLETE',
  ],
  [TEXTUAL, plain(shows, { manifest: { dependencies: 'x'.repeat(100_000) } }), 'CLOSURE_INCOMPLETE'],
  ['50,000 tools', hostile('too-many'), 'SURFACE_UNREADABLE'],
  ['a server that ends its parent', hostile('kills-parent'), 'SERVER_DIED'],
  ['a description of 20 MB', hostile('vast'), 'LK-TXT-02'],
  ['names that every object has', plain(shows, { manifest: inherited }), ''],
];

it('are refused or found, and the worker takes the next', async () => {
  const [server] = servers();
  if (!server) throw new Error('no database');
  const packages = HOSTILE.map(([, one], at) => ({ ...one, version: `1.0.${at}` }));
  const textual = packages[HOSTILE.findIndex(([what]) => what === TEXTUAL)]?.version;
  const { ports, publish } = await worldOf(packages);
  const registry: TestRegistry = await startTestRegistry(server, {
    scan: (request) => {
      // A hundred thousand names are asked for until time is up: one of them need not have all of it.
      const resolveMs = request.submission.version === textual ? 5000 : 30_000;
      return scan(request, { ...ports, blobs: registry.deps.blobs, resolveMs });
    },
  });
  onTestFinished(() => registry.close());
  await registry.person('dave', 'publisher');
  await registry.reviewer('alice');
  const submitted = async (version: string): Promise<number> => {
    const name = 'io.github.acme/server';
    const answer = await registry.submit('dave', { name, version, source: `npm:@acme/server@${version}` });
    expect(answer.status).toBe(201);
    return answer.body.id;
  };
  const settled = (id: number): Promise<{ state: string; reason: string | null }> =>
    until(async () => {
      const { body } = await registry.call('alice', 'GET', `/v1/releases/${id}`);
      return body.state !== 'submitted' && body.state !== 'scanning' && body;
    }, 200_000);
  const ids: number[] = [];
  for (const { version } of packages) ids.push(await submitted(version));
  const runner = await startWorker(registry.deps, 2);
  try {
    for (const [at, [what, , found]] of HOSTILE.entries()) {
      const { state, reason } = await settled(ids[at] ?? 0);
      const isCode = !found.startsWith('LK-') && found !== '';
      expect([what, state]).toEqual([what, isCode ? 'rejected' : 'in_review']);
      if (isCode) expect(reason).toContain(`[${found}]`);
      if (isCode || found === '') continue;
      const { body, status } = await registry.call('alice', 'GET', `/v1/releases/${ids[at]}/report`);
      expect([what, status, body.code]).toEqual([what, 200, undefined]);
      const check = body.checks.find(({ id }: { id: string }) => id === found);
      expect([what, check?.outcome]).toEqual([what, 'fired']);
    }
    publish([{ ...plain(shows), version: '2.0.0' }]);
    expect((await settled(await submitted('2.0.0'))).state).toBe('in_review');
  } finally {
    await runner.stop();
  }
});
