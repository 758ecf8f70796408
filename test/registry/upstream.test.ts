/** New versions upstream: asked of loopback registries of both kinds, and with manners. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ScanDeps } from '../../registry/deps.ts';
import { type Politely, politely } from '../../registry/polite.ts';
import { queueUpstreamWatch } from '../../registry/queue.ts';
import { spreadOf } from '../../registry/schedule.ts';
import { newestOf, upstreamOf, watchUpstream } from '../../registry/upstream.ts';
import { ociOptionsOf } from '../../scanner/oci/options.ts';
import type { PypiOptions } from '../../scanner/pypi/options.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { startNpmRegistry } from '../helpers/npm-registry.ts';
import { startPypiIndex } from '../helpers/pypi-index.ts';
import { servers, startStaffed } from '../helpers/registry.ts';

const wheel = (version: string, more = {}) => ({
  ...{ name: 'made-up', file: `made_up-${version}-py3-none-any.whl`, bytes: Buffer.from('wheel'), ...more },
});

async function bothKinds() {
  const index = await startPypiIndex([
    ...['1.2', '1.3', '2.0rc1', '2.1.post1'].map((version) => wheel(version)),
    wheel('1.9', { yanked: 'broken' }),
    { ...wheel('3.0'), file: 'made_up-3.0.tar.gz' },
  ]);
  const npm = await startNpmRegistry(
    ['1.0.0', '1.1.0'].map((version) => ({ name: '@acme/weather', version, files: {} })),
  );
  onTestFinished(() => npm.close());
  const options: PypiOptions = {
    ...{
      pip: '',
      indexes: [index.url],
      ca: null,
      cert: null,
      proxy: null,
      trustedHosts: [],
      environment: {},
    },
  };
  const cache = mkdtempSync(join(tmpdir(), 'lk-upstream-'));
  return upstreamOf({
    npm: { registry: npm.url, cache, fetchRetries: 0 },
    pypi: async () => options,
    oci: () => ociOptionsOf({}),
    ...{ github: null, environment: {}, tmp: cache },
  });
}

describe('what is offered upstream', () => {
  it('is what a package registry has, each with its source; of an index, wheels that were not withdrawn', async () => {
    const { upstream } = await bothKinds();
    const at = (source: string) => upstream({ source, version: '1.0.0' });
    expect(await at('npm:@acme/weather@1.0.0')).toEqual([
      { version: '1.0.0', source: 'npm:@acme/weather@1.0.0' },
      { version: '1.1.0', source: 'npm:@acme/weather@1.1.0' },
    ]);
    const offered = await at('pypi:made-up@1.2');
    expect(offered).toEqual([
      { version: '1.2.0', source: 'pypi:made-up@1.2' },
      { version: '1.3.0', source: 'pypi:made-up@1.3' },
      { version: '2.0.0-rc1', source: 'pypi:made-up@2.0rc1' },
    ]);
    expect(newestOf(offered, '1.2.0')?.source).toBe('pypi:made-up@1.3');
    expect(newestOf(offered, '1.3.0')).toBeNull();
    expect(newestOf(offered, '2.0.0-a1')?.version).toBe('2.0.0-rc1');
    await expect(at('npm:@acme/gone@1.0.0')).rejects.toMatchObject({ code: 'SOURCE_INVALID' });
  });

  it('becomes a candidate, from an index of Python packages as from npm', async () => {
    const [server] = servers();
    if (!server) throw new Error('no database');
    const { registry, alice, bob } = await startStaffed(server);
    onTestFinished(() => registry.close());
    const asked = await bothKinds();
    const made = { name: 'acme.tools/made-up', version: '1.2.0', source: 'pypi:made-up@1.2' };
    await registry.approved('dave', [alice, bob], made);
    const weather = { name: 'acme.tools/w', version: '1.0.0', source: 'npm:@acme/weather@1.0.0' };
    await registry.approved('dave', [alice, bob], weather);
    const deps = { ...registry.deps, ...asked };
    expect([await watchUpstream(deps), await watchUpstream(deps)]).toEqual([2, 0]);
    const { rows } = await registry.pool.query(
      `select source, version from releases where requested_by = 'lockkeeper' order by source`,
    );
    expect(rows).toEqual([
      { source: 'npm:@acme/weather@1.1.0', version: '1.1.0' },
      { source: 'pypi:made-up@1.3', version: '1.3.0' },
    ]);
    // By chance within the time that is given; the next fire does not put off what waits.
    await queueUpstreamWatch(registry.pool, 300_000);
    const at = async () =>
      (
        await registry.pool.query(
          `select run_at, run_at - now() as left from graphile_worker.jobs where task_identifier = 'upstream'`,
        )
      ).rows.map(({ run_at: when }) => when.getTime());
    const first = await at();
    expect(first[0] - Date.now()).toBeLessThan(300_000);
    await queueUpstreamWatch(registry.pool, 300_000);
    expect(await at()).toEqual(first);
  });

  it('that fits no release is a reason for one server; the others are looked at', async () => {
    const [server] = servers();
    if (!server) throw new Error('no database');
    const { registry, alice, bob } = await startStaffed(server);
    onTestFinished(() => registry.close());
    const names = Array.from({ length: 9 }, (_, n) => `acme.tools/odd-${n}`);
    for (const name of ['acme.tools/w', ...names])
      await registry.approved('dave', [alice, bob], {
        name,
        version: '1.0.0',
        source: 'npm:@acme/weather@1.0.0',
      });
    await registry.pool.query(`update releases set source = 'npm:odd@1.0.0' where name like '%odd%'`);
    const upstream: ScanDeps['upstream'] = async ({ source }) => {
      const odd = source === 'npm:odd@1.0.0';
      return [{ version: '1.1.0', source: `npm:${odd ? 'o'.repeat(500) : '@acme/weather'}@1.1.0` }];
    };
    expect(await watchUpstream({ ...registry.deps, upstream })).toBe(1);
    const { rows } = await registry.pool.query(
      `select subject from events where action = 'upstream.unknown' order by subject`,
    );
    expect(rows.map(({ subject }) => subject)).toEqual(names.map((name) => `${name}@1.0.0`));
  });

  it.each([
    ['7 * * * *', 300_000],
    ['0 4 * * 1', 300_000],
    ['*/5 * * * *', 0],
    ['* * * * *', 0],
    ['*/3 * * * * *', 0],
    ['7 7 * * * *', 0],
  ])('is asked for by %s within %i ms', (cron, ms) => {
    expect(spreadOf(cron)).toBe(ms);
  });
});

describe('manners', () => {
  /** Time that passes only while somebody sleeps; each question takes `takes` of it. */
  function scene(takes: number) {
    let now = 0;
    const sleepers: { at: number; wake: () => void }[] = [];
    const clock = {
      now: () => now,
      random: () => 0.5,
      sleep: (ms: number) => new Promise<void>((wake) => sleepers.push({ at: now + ms, wake })),
    };
    const run = async (work: Promise<unknown>): Promise<void> => {
      let done = false;
      const end = (): void => {
        done = true;
      };
      work.then(end, end);
      while (!done) {
        await new Promise((resolve) => setImmediate(resolve));
        sleepers.sort((a, b) => a.at - b.at);
        const next = sleepers.shift();
        if (!next) continue;
        now = next.at;
        next.wake();
      }
      await work;
    };
    const starts: [string, number][] = [];
    let most = 0;
    let running = 0;
    const question = (host: string, polite: Politely, error?: Error): Promise<unknown> =>
      polite(host, async () => {
        starts.push([host, now]);
        most = Math.max(most, ++running);
        await clock.sleep(takes);
        running--;
        if (error) throw error;
      });
    return { clock, run, starts, question, most: () => most };
  }

  it('keep to two at once and a pause between questions, for each host by itself', async () => {
    const { clock, run, starts, question, most } = scene(1000);
    const polite = politely({ atOnce: 2, pauseMs: 100 }, clock);
    await run(Promise.all(['a', 'a', 'a', 'a', 'b'].map((host) => question(host, polite))));
    const at = (host: string) => starts.filter(([name]) => name === host).map(([, when]) => when);
    expect([at('a'), at('b')]).toEqual([[0, 150, 1000, 1150], [0]]);
    expect(most()).toBe(3);
  });

  it('slow down where a host asks for it, in the words of either client, and recover', async () => {
    const refusal = (cause: unknown, found: string) =>
      new LockkeeperError('SOURCE_UNREACHABLE', { expected: 'a', found, next: 'c', cause });
    for (const error of [
      refusal({ code: 'E429' }, 'too many'),
      refusal(null, 'HTTP 429'),
      refusal(null, '"fatal: The requested URL returned error: 429"'),
    ]) {
      const { clock, run, starts, question } = scene(0);
      const polite = politely({ atOnce: 1, pauseMs: 100 }, clock);
      await expect(run(question('a', polite, error))).rejects.toBe(error);
      await run(question('a', polite).then(() => question('a', polite)));
      await run(question('a', polite));
      const times = starts.map(([, at]) => at);
      expect(times).toEqual([0, 2000, 5000, 6500]);
    }
    const { clock, run, starts, question } = scene(0);
    const polite = politely({ atOnce: 1, pauseMs: 100 }, clock);
    const other = refusal({ code: 'ECONNRESET' }, 'gone');
    await expect(run(question('a', polite, other))).rejects.toBe(other);
    await run(question('a', polite));
    expect(starts.map(([, at]) => at)).toEqual([0, 150]);
  });
});
