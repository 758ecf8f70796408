/** What whoever publishes wrote is read in a time that grows with its length alone, however it is spaced. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { readSdist } from '../../runtime/store/sdist.ts';
import { readWheel } from '../../runtime/store/wheel.ts';
import { claimedByWheel } from '../../scanner/provenance/claimed.ts';
import { indexClient } from '../../scanner/pypi/http.ts';
import { pypiOptionsOf } from '../../scanner/pypi/options.ts';
import { projectFiles } from '../../scanner/pypi/project.ts';
import { scriptsIn } from '../../scanner/pypi/source.ts';
import { sdistOf } from '../helpers/sdists.ts';
import { zipOf } from '../helpers/wheels.ts';
import { refusalOf } from './harness.ts';
import { builtFrom, words } from './sdist-place.ts';

const GAP = ' '.repeat(400_000);
/** Milliseconds of a processor; where time grows with the square, each takes minutes. */
const MOST_MS = 10_000;

async function quickly<T>(work: () => T | Promise<T>): Promise<T> {
  const before = process.cpuUsage();
  const done = await work();
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(MOST_MS);
  return done;
}

it('a requirement of a build', async () => {
  for (const wish of [`acme${GAP.slice(0, 900)}?`, `acme${'!'.repeat(900)}?`, `acme${GAP}?`]) {
    const pyproject = `[build-system]\nrequires = ["${wish}"]\n`;
    const refused = await quickly(() => refusalOf(builtFrom(words({ pyproject }))));
    expect(refused).toMatchObject({
      code: 'BUILD_FAILED',
      found: expect.stringContaining('as a requirement of its build'),
    });
  }
});

it('the names in metadata of archives', async () => {
  const info = `Name: other${GAP}name\nVersion: 1.0.0\n`;
  const { bytes, file } = sdistOf({ name: 'acme', info });
  expect((await quickly(() => refusalOf(readSdist(bytes, file)))).code).toBe('ARCHIVE_HOSTILE');
  const wheel = zipOf([{ path: 'acme-1.0.0.dist-info/METADATA', bytes: info }]);
  const refused = await quickly(() => refusalOf(readWheel(wheel, 'acme-1.0.0-py3-none-any.whl')));
  expect(refused.expected).toContain('a METADATA of this name and version');
});

it('addresses and commands', async () => {
  const metadata = [
    `Project-URL: Source${GAP}`,
    `Project-URL:${GAP},${GAP}x y`,
    'Project-URL: Source Code , https://github.com/acme/words ',
    'home-page: https://github.com/acme/other',
  ].join('\n');
  const files = [{ path: 'acme-1.0.0.dist-info/METADATA', bytes: Buffer.from(metadata), executable: false }];
  expect(await quickly(() => claimedByWheel(files))).toEqual([
    expect.objectContaining({ url: 'https://github.com/acme/words' }),
    expect.objectContaining({ url: 'https://github.com/acme/other' }),
  ]);
  const commands = `[console_scripts]\na${GAP}b\nc = x${GAP}[y\n d = m : f [e, f] \ne = m:g\n#f = m:h\n`;
  expect([...(await quickly(() => scriptsIn(commands)))]).toEqual([
    ['d', 'm:f'],
    ['e', 'm:g'],
  ]);
});

it('a page of an index', async () => {
  const page = `${'<a <base '.repeat(100_000)}<a href="acme-1.0.0.tar.gz">acme</a>`;
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const index = `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`;
  const client = indexClient(await pypiOptionsOf({ ...process.env, PIP_INDEX_URL: index }));
  onTestFinished(() => client.close());
  const files = await quickly(() => projectFiles(index, 'acme', client));
  expect(files?.map(({ file }) => file)).toEqual(['acme-1.0.0.tar.gz']);
});
