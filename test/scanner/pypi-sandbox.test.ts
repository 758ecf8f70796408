import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startEgressProxy } from '../../runtime/egress/proxy.ts';
import { bubblewrap } from '../../runtime/isolation/bubblewrap.ts';
import { container } from '../../runtime/isolation/container.ts';
import { allDrivers } from '../../runtime/isolation/select.ts';
import type { EgressEvent, IsolationDriver, LaunchPlan } from '../../runtime/ports.ts';
import { fits, machinePython, pythonFor } from '../../runtime/python/machine.ts';
import { materialise } from '../../runtime/store/materialise.ts';
import { targetOf } from '../../scanner/pypi/target.ts';
import { scan } from '../../scanner/scan.ts';
import { DEFAULT_LIMITS, isLocal } from '../../schemas/release.ts';
import { until } from '../helpers/wait.ts';
import { firedIn, refusalOf, requestFor, worldOf } from './harness.ts';
import { CODE, SOURCE, served, server } from './pypi-place.ts';

const LOOK = `
import os, sys
def look(params):
    sys.stderr.write('looked')
    try:
        import pip
        foreign = pip.__file__
    except ImportError:
        foreign = None
    folder = '/usr/lib/python3/dist-packages'
    return {'ran': sorted(n for n in os.listdir('/tmp')), 'foreign': foreign, 'argv': sys.argv,
            'flags': [sys.flags.isolated, sys.flags.no_site], 'installed': os.listdir(folder) if os.path.isdir(folder) else []}
`;

async function planFor(
  appDir: string,
  python: LaunchPlan['python'],
  more: Partial<LaunchPlan> = {},
): Promise<LaunchPlan> {
  return {
    id: `pypi-${process.pid}`,
    appDir,
    command: ['python', 'acme_time:main', 'acme-time', '--flag'],
    ...(python ? { python } : {}),
    ...{ env: {}, mounts: [], limits: DEFAULT_LIMITS },
    ...more,
  };
}

/** The answer to one call of `echo`. */
async function asked(
  plan: LaunchPlan,
  driver: IsolationDriver = bubblewrap({ nodePath: process.execPath }),
): Promise<Record<string, unknown>> {
  const running = await driver.start(plan);
  onTestFinished(async () => void (await running.stop(500)));
  running.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: {} })}\n`);
  let text = '';
  for await (const chunk of running.stdout as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.includes('\n')) break;
  }
  return JSON.parse(JSON.parse(text).result.content[0].text) as Record<string, unknown>;
}

describe('in the sandbox', () => {
  it('runs the closure alone: no start file, nothing of the machine', async () => {
    const mark = (name: string): string => `import os; os.mkdir('/tmp/${name}')\n`;
    const files = {
      'evil.pth': mark('pth'),
      'sitecustomize.py': mark('sitecustomize'),
      'usercustomize.py': mark('usercustomize'),
      'acme_time-1.0.0.data/scripts/tool': '#!python\n',
      'acme_time-1.0.0.data/data/etc/acme.conf': 'x',
      'folders.pth': 'acme_time\n',
    };
    const wheel = server({ files }, CODE.replace('def look(params):\n    return {}\n', LOOK));
    const { ports, dir } = await served([wheel]);
    const result = await scan(requestFor(SOURCE), ports);
    expect(
      firedIn(result, 'LK-ART-02').map((message) => message.replace('pkg:pypi/acme-time@1.0.0', 'it')),
    ).toEqual([
      'it has evil.pth, which runs code in every Python it is installed for; not here',
      'it has folders.pth, which adds folders to every Python it is installed for; not here',
      'it has sitecustomize.py, which runs code in every Python it is installed for; not here',
      'it has usercustomize.py, which runs code in every Python it is installed for; not here',
      'it has 2 files for other folders than site-packages; they are not laid out',
    ]);
    if (!isLocal(result.launch)) throw new Error('remote');
    const { appDir } = await materialise(result.closure, ports.blobs, join(dir, 'trees'));
    expect(existsSync(join(appDir, 'etc'))).toBe(false);
    const seen = { ran: [], foreign: null, argv: ['acme-time', '--flag'], flags: [1, 1], installed: [] };
    expect(await asked(await planFor(appDir, result.launch.python))).toEqual(seen);
    // A machine without this engine has nothing to show; it says why.
    const podman = container({ engine: 'podman', nodePath: process.execPath });
    const status = await podman.detect();
    if (status.available)
      expect(await asked(await planFor(appDir, result.launch.python), podman)).toEqual(seen);
    else expect(status.reason).not.toBe('');
  });

  it('reaches what is permitted through the proxy; other attempts are told', async () => {
    const code = `
import socket, urllib.request
def look(params):
    try:
        socket.create_connection(('direct.example', 443), 2)
    except OSError:
        pass
    try:
        return {'said': urllib.request.urlopen('http://nowhere.example/', timeout=10).status}
    except Exception as error:
        return {'said': str(error)}
`;
    const { ports, dir } = await served([
      server({}, CODE.replace('def look(params):\n    return {}\n', code)),
    ]);
    const result = await scan(requestFor(SOURCE), ports);
    if (!isLocal(result.launch)) throw new Error('remote');
    const { appDir } = await materialise(result.closure, ports.blobs, join(dir, 'trees'));
    const events: EgressEvent[] = [];
    const { serverUid: owner } = bubblewrap({ nodePath: process.execPath });
    const proxy = await startEgressProxy({
      socketPath: join(dir, 'egress.sock'),
      allow: [],
      ...(owner === undefined ? {} : { owner }),
      onEvent: async (event) => void events.push(event),
    });
    onTestFinished(() => proxy.close());
    const plan = await planFor(appDir, result.launch.python, { egressSocket: join(dir, 'egress.sock') });
    expect((await asked(plan)).said).toContain('403');
    await until(() => events.length >= 2);
    expect(events.map(({ host, port, via }) => `${via} ${host}:${port}`).sort()).toEqual([
      'proxy nowhere.example:80',
      'report direct.example:443',
    ]);
  });

  it('is not started on another Python, whatever the driver', async () => {
    const { abi, libc } = await machinePython();
    const dir = (await worldOf([])).dir;
    const drivers = allDrivers(process.execPath);
    const wrong = [
      { version: '3.2', abi, libc: null },
      { version: '3.11', abi: 'cpython-32m-arm', libc: null },
      { version: '3.11', abi, libc: `${libc.split(' ')[0]} 99.0` },
    ];
    for (const python of wrong)
      for (const driver of drivers)
        expect(await refusalOf(driver.start(await planFor(dir, python)))).toMatchObject({
          code: 'PYTHON_MISMATCH',
        });
  });

  it('finds the Python it was resolved for by version, ABI and C library', async () => {
    const here = { version: '3.11.2', abi: 'cpython-311-x86_64-linux-gnu', libc: 'glibc 2.36' };
    const wheels = ['a-1-py3-none-any.whl', 'b-1-cp311-cp311-manylinux_2_28_x86_64.manylinux2014_x86_64.whl'];
    const target = targetOf(
      here,
      wheels.map((file) => ({ file })),
    );
    expect(target).toEqual({ version: '3.11', abi: here.abi, libc: 'glibc 2.17' });
    expect(targetOf(here, [{ file: 'a-1-py3-none-any.whl' }]).libc).toBe(null);
    expect(fits(here, target)).toBe(true);
    expect(fits({ ...here, libc: 'glibc 2.9' }, target)).toBe(false);
    expect(fits({ ...here, libc: 'musl 1.2' }, target)).toBe(false);
    expect(fits({ ...here, version: '3.1.11' }, target)).toBe(false);
    const own = await machinePython();
    expect(await pythonFor({ version: own.version.replace(/\.\d+$/, ''), abi: own.abi, libc: null })).toEqual(
      own,
    );
  });
});
