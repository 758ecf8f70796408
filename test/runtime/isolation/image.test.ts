import { chmodSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startEgressProxy } from '../../../runtime/egress/proxy.ts';
import { bubblewrap } from '../../../runtime/isolation/bubblewrap.ts';
import { imageRoot } from '../../../runtime/isolation/image-root.ts';
import { allDrivers } from '../../../runtime/isolation/select.ts';
import { sandboxSettings } from '../../../runtime/isolation/words.ts';
import type { EgressEvent, IsolationDriver, LaunchPlan } from '../../../runtime/ports.ts';
import { openBlobs } from '../../../runtime/store/blobs.ts';
import { materialise } from '../../../runtime/store/materialise.ts';
import { imageLaunch } from '../../../scanner/oci/source.ts';
import {
  closureOf,
  type Image,
  imageOf,
  layerOf,
  PLATFORM,
  serverImage,
  shellFiles,
} from '../../helpers/image.ts';
import { openDir, planFor } from '../../helpers/sandbox.ts';

/** A server that asks the proxy with what its shell has. */
const ASKS = `#!/bin/bash
while read -r line; do
  said=nobody
  if exec 3<>/dev/tcp/127.0.0.1/3128; then
    printf 'GET http://denied.test/ HTTP/1.1\\r\\nhost: denied.test\\r\\nconnection: close\\r\\n\\r\\n' >&3
    read -r said <&3
    said="\${said%$'\\r'} $TOLD $LD_PRELOAD"
  fi
  printf '{"jsonrpc":"2.0","id":0,"result":{"content":[{"type":"text","text":"%s"}]}}\\n' "$said"
done
`;

const image = serverImage();

/** A plan as the lock would make it. */
async function planOf(of: Image, more: Partial<LaunchPlan> = {}): Promise<LaunchPlan> {
  const dir = openDir();
  const blobs = await openBlobs(join(dir, 'blobs'));
  const { closure, config } = await closureOf(of, blobs);
  const { appDir } = await materialise(closure, blobs, join(dir, 'trees'));
  const { command, image: own } = imageLaunch(
    { config, platform: PLATFORM },
    { args: [], projectArgs: false },
  );
  const [first = '', ...rest] = command;
  return planFor(appDir, [first, ...rest], {
    ...(own ? { image: own } : {}),
    id: `image-${process.pid}`,
    ...more,
  });
}

async function textsOf(
  driver: IsolationDriver,
  plan: LaunchPlan,
  tools: readonly string[],
): Promise<string[]> {
  const running = await driver.start(plan);
  onTestFinished(async () => void (await running.stop(500)));
  running.stderr.resume();
  for (const [id, name] of tools.entries())
    running.stdin.write(
      `${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } })}\n`,
    );
  const texts: string[] = [];
  for await (const line of createInterface({ input: running.stdout })) {
    texts.push(JSON.parse(line).result.content[0].text as string);
    if (texts.length === tools.length) break;
  }
  return texts;
}

const there: IsolationDriver[] = [];
for (const driver of allDrivers(process.execPath)) if ((await driver.detect()).available) there.push(driver);

describe.each(there)('an image under $name', (driver) => {
  it('sees its own tree alone, read-only, with its own variables', async () => {
    const texts = await textsOf(driver, await planOf(image), ['greet', 'where', 'write', 'machine']);
    expect(texts.slice(0, 3)).toEqual(['hello from the image', '/srv one /srv /bin', 'refused']);
    const folders = (texts[3] ?? '').split(' ').filter((name) => !name.startsWith('/lib'));
    const own = ['/bin', '/dev', '/lockkeeper', '/proc', '/run', '/srv', '/sys', '/tmp', '/etc'];
    expect(folders.filter((name) => !own.includes(name))).toEqual([]);
    expect(folders).toContain('/srv');
  });

  it('is carried to the proxy where it may reach a host, whatever it is written in, and else to nobody', async () => {
    const files = [...shellFiles('/bin/bash'), { path: 'srv/asks.sh', content: ASKS, mode: 0o755 }];
    const env = [
      'PATH=/bin',
      'LD_PRELOAD=/srv/none.so',
      'NODE_OPTIONS=--require /srv/none.cjs',
      'TOLD=by the image',
    ];
    const config = { Cmd: ['bash', '/srv/asks.sh'], Env: env, WorkingDir: '/srv' };
    const asking = imageOf({ layers: [layerOf(files)], config });
    const dir = openDir();
    const egressSocket = join(dir, 'egress.sock');
    const events: EgressEvent[] = [];
    const proxy = await startEgressProxy({
      ...{ socketPath: egressSocket, allow: ['allowed.test:80'] },
      ...(driver.serverUid === undefined ? {} : { owner: driver.serverUid }),
      onEvent: async (event) => void events.push(event),
    });
    onTestFinished(() => proxy.close());
    if (driver.serverUid === undefined) chmodSync(egressSocket, 0o666);
    const limits = { memoryMiB: 512, cpus: 1, pids: 64, tmpMiB: 8 };
    const open = await planOf(asking, {
      egressSocket,
      reaches: true,
      limits,
      id: `image-open-${process.pid}`,
    });
    expect(await textsOf(driver, open, ['ask'])).toEqual([
      'HTTP/1.1 403 Forbidden by the image /srv/none.so',
    ]);
    expect(events.map(({ host, outcome }) => [host, outcome])).toEqual([['denied.test', 'refused']]);
    const shut = await planOf(asking, { egressSocket, limits, id: `image-shut-${process.pid}` });
    expect(await textsOf(driver, shut, ['ask'])).toEqual(['nobody']);
    expect(events).toHaveLength(1);
  });
});

describe('the launch of an image', () => {
  const base = { Cmd: ['bash', '/srv/serve.sh'], Env: ['PATH=/bin'], WorkingDir: '/srv', User: 'app' };
  const launchOf = async (more: object): Promise<unknown> => {
    const made = imageOf({ layers: [layerOf(shellFiles('/bin/bash'))], config: { ...base, ...more } });
    const { config } = await closureOf(made, await openBlobs(join(openDir(), 'blobs')));
    return imageLaunch({ config, platform: PLATFORM }, { args: [], projectArgs: false });
  };
  const metadata = JSON.stringify({ volumes: ['/:/host'], privileged: true, command: ['sh'], user: '0:0' });

  it.each<[string, object]>([
    ['labels that other gateways take orders from', { Labels: { 'io.docker.server.metadata': metadata } }],
    ['volumes', { Volumes: { '/var/run/docker.sock': {}, '/host': {} } }],
    ['ports', { ExposedPorts: { '22/tcp': {} } }],
    ['a health check', { Healthcheck: { Test: ['CMD-SHELL', 'curl http://collector.test'] } }],
    [
      'orders for builds, a shell and a signal',
      { OnBuild: ['RUN sh'], Shell: ['sh'], StopSignal: 'SIGKILL' },
    ],
    [
      'what engines of other systems know',
      { ArgsEscaped: true, Memory: 1, HostConfig: { Privileged: true } },
    ],
  ])('is the same with %s', async (_, more) => {
    expect(await launchOf(more)).toEqual(await launchOf({}));
  });

  it('is another one with another command', async () => {
    expect(await launchOf({ Cmd: ['bash', '/srv/other.sh'] })).not.toEqual(await launchOf({}));
  });
});

describe('what bubblewrap shows of an image', () => {
  const nodePath = process.execPath;
  const changed = (words: readonly string[]): IsolationDriver =>
    bubblewrap({ nodePath, settings: (plan, preload) => [...words, ...sandboxSettings(plan, preload)] });

  it.each([
    ['an empty folder over one of its own', ['--tmpfs', '/srv']],
    ['a folder of this machine over one of its own', ['--ro-bind', '/usr', '/srv']],
    ['one of its folders that can be written', ['--remount-ro', '/srv', '--bind', '/tmp', '/bin']],
  ])('is compared with its tree, and ends before it begins for %s', async (_, words) => {
    const driver = changed(words);
    const error = await driver.start(await planOf(image)).then(
      () => null,
      (thrown: { code?: string }) => thrown,
    );
    expect(error).toMatchObject({
      code: 'ISOLATION_MISMATCH',
      found: expect.stringContaining('mounts "not /'),
    });
  });

  it('is nothing of this machine but the gate, where it may reach nobody', async () => {
    const words = await imageRoot((await planOf(image)).appDir, {});
    const sources = words.flatMap((word, index) => (word === '--ro-bind' ? [words[index + 1] ?? ''] : []));
    const own = sources.filter((path) => !path.includes('/trees/')).map((path) => basename(path));
    expect(own.filter((name) => !/^(?:(?:da|ba|)sh|prlimit|ld-|lib)/.test(name))).toEqual([]);
    expect(words.slice(-8)).toEqual([
      '--proc',
      '/proc',
      '--dev',
      '/dev',
      '--remount-ro',
      '/dev',
      '--dir',
      '/run',
    ]);
  });
});
