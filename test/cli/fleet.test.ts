/** Telling what runs: files on this machine that outlive nobody, and reports that a registry may miss. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import { fleetReporter, type RunningReporter } from '../../cli/fleet.ts';
import { readInstances, writeInstance } from '../../cli/instances.ts';
import type { Instance } from '../../runtime/fleet.ts';
import type { FleetReport } from '../../schemas/fleet.ts';
import { fleetInstance } from '../helpers/fleet.ts';
import { lkHere } from '../helpers/here.ts';
import { until } from '../helpers/wait.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const run = promisify(execFile);
const state = (change: Partial<Instance> = {}): Omit<Instance, 'calls'> => ({
  alias: 'weather',
  ...fleetInstance(),
  ...change,
});
const one = (change: Partial<Instance> = {}): Instance => ({ calls: 0, ...state(change) });

let home: string;
const running: ChildProcess[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-ps-'));
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

const said = (words: string[]): ReturnType<typeof lkHere> =>
  lkHere(words, { ...process.env, LOCKKEEPER_HOME: home, NO_COLOR: '1' });
const lk = async (...words: string[]): Promise<string> => (await said(words)).stdout;
const ps = (...words: string[]): Promise<string> => lk('ps', ...words);
/** Another process of ours, once it has said something. */
const begun = async (script: string): Promise<ChildProcess> => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  if (child.stdout) await once(child.stdout, 'data');
  return child;
};
/** Another process of ours that keeps instances. */
const keep = async (...instances: Instance[]): Promise<ChildProcess> => {
  const script = `import { writeInstance } from ${JSON.stringify(join(ROOT, 'cli/instances.ts'))};
    for (const one of ${JSON.stringify(instances)}) await writeInstance(${JSON.stringify(home)}, one);
    if (${instances[0]?.alias === 'stubborn'}) process.on('SIGTERM', () => undefined);
    console.log('kept'); setInterval(() => undefined, 1000);`;
  return begun(script);
};
/** Another process of ours that is a gateway, and keeps these beside. */
const serve = async (...instances: Instance[]): Promise<ChildProcess> => {
  const known = {
    url: 'http://127.0.0.1:7413',
    project: 'acme/app',
    lockVersion: 7,
    lock: `sha256:${'a'.repeat(64)}`,
  };
  const more = { serves: ['docs', 'weather'], since: '2026-11-24T12:00:00.000Z' };
  const script = `import { writeInstance } from ${JSON.stringify(join(ROOT, 'cli/instances.ts'))};
    import { writeGateway } from ${JSON.stringify(join(ROOT, 'cli/gateways.ts'))};
    let told = 0;
    process.on('SIGTERM', () => { told++; setTimeout(() => process.exit(told), 300); });
    await writeGateway(${JSON.stringify(home)}, ${JSON.stringify({ ...known, ...more })});
    for (const one of ${JSON.stringify(instances)}) await writeInstance(${JSON.stringify(home)}, one);
    console.log('kept'); setInterval(() => undefined, 1000);`;
  return begun(script);
};

describe('lk stop', () => {
  const refused = async (words: string[], exit: number, told: RegExp): Promise<void> =>
    expect(await said(['stop', ...words])).toEqual({ exit, stdout: '', stderr: expect.stringMatching(told) });

  it('ends what keeps a server, tells it as a terminal does, and waits for its end', async () => {
    const [weather, docs] = [await keep(one()), await keep(one({ id: 'i-2', alias: 'docs' }))];
    expect(await lk('stop', 'weather')).toBe(`weather (process ${weather.pid}) ended.\n`);
    expect([weather.signalCode, docs.exitCode, docs.signalCode]).toEqual(['SIGTERM', null, null]);
    const all = JSON.parse(await lk('stop', '--all', '--json'));
    expect(all).toEqual({ stopped: [{ pid: docs.pid, aliases: ['docs'] }] });
    expect(await lk('stop', '--all')).toBe('Nothing runs here.\n');
  });

  it('ends a gateway with all that it keeps only when that is what was said', async () => {
    const gateway = await keep(one(), one({ id: 'i-2', alias: 'docs' }));
    await refused(['docs'], 2, /gateway that keeps docs, weather.*lk stop \d+/s);
    await refused(['mail'], 2, /found "mail".*lk ps/s);
    await refused([`${process.pid}`], 2, /lk ps/);
    await refused([], 2, /one of ALIAS, PID and --all/);
    await refused(['docs', '--seconds', '0'], 2, /from 1 to 3600/);
    expect([gateway.exitCode, gateway.signalCode]).toEqual([null, null]);
    expect(await lk('stop', `${gateway.pid}`)).toBe(`docs, weather (process ${gateway.pid}) ended.\n`);
  });

  it('ends no gateway by the one server that it keeps just now, and tells it once, however many it keeps', async () => {
    const gateway = await serve(one(), one({ id: 'i-2', alias: 'weather' }));
    await refused(['weather'], 2, /gateway that keeps weather.*lk stop \d+/s);
    expect([gateway.exitCode, gateway.signalCode]).toEqual([null, null]);
    const ended = `The gateway http://127.0.0.1:7413 (process ${gateway.pid}) ended, with weather.\n`;
    expect(await lk('stop', '--all')).toBe(ended);
    expect(gateway.exitCode).toBe(1);
  });

  it('says what did not end in time, and what to do', async () => {
    const { pid } = await keep(one({ alias: 'stubborn' }));
    await refused(
      ['stubborn', '--seconds', '1'],
      4,
      new RegExp(`process ${pid} still running.*second time`, 's'),
    );
  });

  it('ends one project’s server of a name that several have only when it is told which', async () => {
    const [ours, theirs] = [await keep(one()), await keep(one({ id: 'i-2', project: 'acme/other' }))];
    await refused(['weather'], 2, /acme\/(?:app|other) \(process \d+\), acme\/.*lk stop \d+/s);
    expect([ours.signalCode, theirs.signalCode]).toEqual([null, null]);
    await lk('stop', `${theirs.pid}`);
    expect(await lk('stop', 'weather')).toBe(`weather (process ${ours.pid}) ended.\n`);
  });

  it('signals no process by a number that is another container’s, and ends the others all the same', async () => {
    const [weather, docs] = [await keep(one()), await keep(one({ id: 'i-2', alias: 'docs' }))];
    const path = join(home, 'instances/i-2.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), space: 'another' }));
    expect(await ps()).toMatch(new RegExp(`docs .* ${docs.pid} elsewhere\n`));
    await refused(['docs'], 3, new RegExp(`process ${docs.pid}, of another container`));
    const both = new RegExp(
      `process ${docs.pid}, of another container.*weather .process ${weather.pid}. ended`,
    );
    await refused(['--all'], 3, both);
    expect([weather.signalCode, docs.exitCode, docs.signalCode]).toEqual(['SIGTERM', null, null]);
  });
});

describe('lk ps', () => {
  it('shows what runs, in columns that line up, and says when nothing does', async () => {
    expect(await ps()).toBe('Nothing runs here.\n');
    const [a, b] = [
      await keep(one()),
      await keep(one({ id: 'i-2', alias: 'docs', state: 'QUARANTINED', calls: 12 })),
    ];
    const [rows = '', why] = (await ps()).trimEnd().split('\n\n');
    expect(why).toBe('Why docs is QUARANTINED: lk audit --local --server acme.tools/weather');
    const lines = rows.split('\n');
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
      ['ALIAS', 'SERVER', 'VERSION', 'STATE', 'SINCE (UTC)', 'USER', 'CALLS', 'LOCK', 'PID'],
      [
        'docs',
        'acme.tools/weather',
        '1.2.3',
        'QUARANTINED',
        '2026-11-24 12:00',
        fleetInstance().user,
        '12',
        expect.stringContaining('acme/app#7 '),
        `${b.pid}`,
      ],
      [
        'weather',
        'acme.tools/weather',
        '1.2.3',
        'READY',
        '2026-11-24 12:00',
        fleetInstance().user,
        '0',
        expect.stringContaining('acme/app#7 '),
        `${a.pid}`,
      ],
    ]);
    expect(new Set(lines.map((line) => line.search(/acme\.tools|SERVER/))).size).toBe(1);
    const { instances } = JSON.parse(await ps('--json'));
    expect(instances[1]).toEqual({ ...one(), pid: a.pid, held: expect.any(String), here: true, gone: false });
    expect(statSync(join(home, 'instances')).mode & 0o777).toBe(0o700);
    expect(statSync(join(home, 'instances/i-1.json')).mode & 0o777).toBe(0o600);
  });

  it('shows a gateway that keeps no server, and once that it is gone', async () => {
    const gateway = await serve();
    const [head = '', row = '', , below] = (await ps()).split('\n');
    expect(head.split(/ {2,}/)).toEqual(['GATEWAY', 'SERVES', 'SINCE (UTC)', 'LOCK', 'PID']);
    expect(row).toMatch(new RegExp(`7413  docs, weather  2026-11-24 12:00  acme/app#7 a+  ${gateway.pid}$`));
    expect(below).toBe('No server runs now; a gateway starts one when it is called.');
    gateway.kill('SIGKILL');
    await once(gateway, 'exit');
    expect(await ps()).toContain('7413 (gone)  docs');
    expect(await ps()).toBe('Nothing runs here.\n');
  });

  it('tells once that something is gone whose process was killed', async () => {
    const child = await keep(one());
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await ps()).split('\n')[1]).toMatch(/weather .* gone /);
    expect(await ps()).toBe('Nothing runs here.\n');
  });

  it('knows by no number who is there: not in another container, and not where it was given out again', async () => {
    const child = await keep(one());
    const code = `import { readInstances } from ${JSON.stringify(join(ROOT, 'cli/instances.ts'))};
      const found = await readInstances(${JSON.stringify(home)});
      console.log(JSON.stringify(found.map(({ here, gone }) => [here, gone])));`;
    const inOther = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc', process.execPath];
    const there = async (): Promise<unknown> =>
      JSON.parse((await run('unshare', [...inOther, '--input-type=module', '-e', code])).stdout);
    expect(await there()).toEqual([[false, false]]);
    expect((await readInstances(home)).map(({ here, gone }) => [here, gone])).toEqual([[true, false]]);
    const path = join(home, 'instances/i-1.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), pid: process.pid }));
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await readInstances(home)).map(({ gone }) => gone)).toEqual([true]);
    expect(existsSync(path)).toBe(false);
  });

  it('leaves nothing of a process, whether it ended or was killed', async () => {
    const [ended, killed] = [await serve(), await keep(one())];
    ended.kill('SIGTERM');
    killed.kill('SIGKILL');
    await Promise.all([once(ended, 'exit'), once(killed, 'exit')]);
    await ps();
    const left = readdirSync(join(home, 'processes'));
    expect(left).toHaveLength(1);
    utimesSync(join(home, 'processes', left[0] ?? ''), new Date(0), new Date(0));
    await ps();
    expect(['processes', 'gateways', 'instances'].flatMap((name) => readdirSync(join(home, name)))).toEqual(
      [],
    );
  });

  it('has files that nothing waits for a disk for: they are a view', async () => {
    const script = `import { writeInstance } from ${JSON.stringify(join(ROOT, 'cli/instances.ts'))};
      import { writeAtomic } from ${JSON.stringify(join(ROOT, 'runtime/store/atomic.ts'))};
      await (process.argv[1] === 'view' ? writeInstance(${JSON.stringify(home)}, ${JSON.stringify(one())}) : writeAtomic(${JSON.stringify(join(home, 'x'))}, 'x'));`;
    const syncs = async (which: string): Promise<number> => {
      const trace = join(home, `trace-${which}`);
      const words = ['-f', '-e', 'trace=fsync,fdatasync', '-o', trace, process.execPath];
      await run('strace', [...words, '--input-type=module', '-e', script, which]);
      return readFileSync(trace, 'utf8').match(/f(?:data)?sync\(/g)?.length ?? 0;
    };
    expect([await syncs('view'), await syncs('kept')]).toEqual([0, 2]);
    expect(readdirSync(join(home, 'instances'))).toEqual(['i-1.json']);
  });

  it('leaves alone what is none of its files', async () => {
    mkdirSync(join(home, 'instances'));
    await writeInstance(home, one());
    const good = readFileSync(join(home, 'instances/i-1.json'), 'utf8');
    for (const [name, text] of Object.entries({
      'a.json': '{',
      'b.json': '{}',
      'c.json': good,
      'd.txt': good,
      'e.json': `${good}${good}`,
    }))
      writeFileSync(join(home, 'instances', name), text);
    mkdirSync(join(home, 'instances/f.json'));
    expect((await readInstances(home)).map(({ id }) => id)).toEqual(['i-1']);
    expect(readdirSync(join(home, 'instances'))).toHaveLength(7);
  });
});

describe('a reporter', () => {
  let server: Server | undefined;
  let reporter: RunningReporter;
  let heard: FleetReport[];
  let said: string[];
  let up: boolean;
  const FAST = { reportMs: 1000, gatherMs: 20, countMs: 300 };

  beforeEach(async () => {
    [heard, said, up] = [[], [], true];
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      if (!up) return response.destroy();
      heard.push(JSON.parse(Buffer.concat(chunks).toString()));
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kept: heard.at(-1)?.instances.length }));
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const api = openApi(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'lk_t');
    reporter = fleetReporter({
      home,
      api,
      runtime: 'j-1',
      host: 'build-7',
      say: (line) => void said.push(line),
      timing: FAST,
    });
  });
  afterEach(async () => {
    await reporter.close();
    server?.closeAllConnections();
    server?.close();
  });
  const files = (): string[] => readdirSync(join(home, 'instances')).sort();

  it('tells changes together and soon, then from time to time, and the end', async () => {
    reporter.report(state({ state: 'STARTING' }));
    reporter.report(state());
    reporter.report(state({ id: 'i-2' }));
    await until(() => heard.length > 0);
    const { alias: _, ...instance } = state();
    expect(heard[0]).toEqual({
      runtime: 'j-1',
      host: 'build-7',
      instances: [instance, { ...instance, id: 'i-2' }],
    });
    await until(() => files().length === 2);
    await until(() => heard.length > 1);
    reporter.gone('i-1');
    await expect.poll(() => heard.at(-1)?.instances.map(({ id }) => id)).toEqual(['i-2']);
    await expect.poll(files).toEqual(['i-2.json']);
    await reporter.close();
    expect(heard.at(-1)?.instances).toEqual([]);
    expect(files()).toEqual([]);
    const count = heard.length;
    reporter.report(state());
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([heard.length, files()]).toEqual([count, []]);
  });

  it('lists what runs before what rests where not everything fits, and says how many it leaves out', async () => {
    for (let n = 0; n < 300; n++) reporter.report(state({ id: `i-${n}`, state: n < 290 ? 'COLD' : 'READY' }));
    await until(() => heard.length > 0);
    const { instances, more } = heard[0] as FleetReport;
    expect([instances.length, more]).toEqual([256, 44]);
    expect(instances.slice(0, 10).every(({ state }) => state === 'READY')).toBe(true);
    // Beside them stands what is being written.
    await expect.poll(async () => (await readInstances(home)).length).toBe(300);
    const all = JSON.parse(await ps('--json')) as { count: number; instances: unknown[] };
    expect([all.count, all.instances.length]).toEqual([300, 300]);
    const lines = (await ps()).trimEnd().split('\n');
    expect([lines.length, lines.at(-1)]).toEqual([259, 'and 44 more: lk ps --json']);
  });

  it('does not send or write at each call', async () => {
    reporter.report(state());
    for (let calls = 0; calls < 4999; calls++) reporter.called(one().id);
    await expect.poll(async () => (await readInstances(home))[0]?.calls).toBe(4999);
    await until(() => heard.length > 0);
    expect(heard.length).toBeLessThan(50);
  });

  it('goes on while the registry does not answer, says so once, and comes back', async () => {
    up = false;
    reporter.report(state());
    await until(() => said.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(said).toEqual([expect.stringContaining('what runs here is not told')]);
    expect((await readInstances(home))[0]?.state).toBe('READY');
    up = true;
    await expect.poll(() => heard.length).toBeGreaterThan(0);
  });

  it('writes down what it could not, once it can', async () => {
    writeFileSync(join(home, 'instances'), 'in the way');
    for (const id of ['i-1', 'i-2']) reporter.report(state({ id }));
    await until(() => said.length > 0);
    rmSync(join(home, 'instances'));
    await expect.poll(async () => (await readInstances(home)).length).toBe(2);
    expect(said).toEqual([expect.stringContaining('what runs here is not told')]);
  });

  it('needs no registry', async () => {
    const alone = fleetReporter({ home, api: null, runtime: 'j-1', host: 'h', say: () => undefined });
    alone.report(state());
    await expect.poll(async () => (await readInstances(home)).length).toBe(1);
    await alone.close();
    expect(files()).toEqual([]);
  });
});
