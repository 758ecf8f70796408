/** What a monitor reads of a place that lies: what is missing, twice or elsewhere is refused, never left out. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHome } from '../../cli/home.ts';
import { readPublished } from '../../cli/published-checkpoints.ts';
import { numberedLog } from '../helpers/log.ts';
import { refusal } from '../helpers/machine.ts';
import { type S3, type S3Answer, startS3 } from '../helpers/s3.ts';
import { tempDir } from '../helpers/session.ts';
import { makeSigner } from '../helpers/witness.ts';

const PLACE = 's3://acme-log/lk';
const log = numberedLog(makeSigner('log.test/one'));

describe('a bucket that lies to whoever reads it', () => {
  let s3: S3;
  beforeEach(async () => {
    s3 = await startS3();
    for (const size of [3, 7]) s3.put(`lk/checkpoints/${size}`, log.noteAt(size));
    s3.put('lk/checkpoint', log.noteAt(7));
  });
  afterEach(() => s3.close());
  const read = (): ReturnType<typeof readPublished> =>
    readPublished(PLACE, { cwd: '/', environment: s3.environment });
  const listed = (answer: (page: number) => S3Answer): void => {
    let page = 0;
    s3.before = ({ query }) => (query.has('list-type') ? answer(page++) : null);
  };
  const page = (keys: readonly string[], more = ''): S3Answer => ({
    status: 200,
    body: `<?xml version="1.0"?><ListBucketResult>${more}${keys.map((key) => `<Contents><Key>lk/checkpoints/${key}</Key></Contents>`).join('')}</ListBucketResult>`,
  });
  const NEXT = (token: string): string =>
    `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`;

  it('is read whole where it does not', async () => {
    const { notes } = await read();
    expect(notes.map(({ path }) => path)).toEqual(
      ['', 's/7', 's/3'].map((end) => `${PLACE}/checkpoint${end}`),
    );
  });

  it.each<[string, () => void, string]>([
    [
      'a hundred names of nothing before the true ones',
      () => listed(() => page([...Array(100).keys()].map((n) => `9${n}`))),
      'PUBLISHED_SHRANK',
    ],
    ['no names at all', () => listed(() => page([])), 'PUBLISHED_SHRANK'],
    [
      'a list that goes on, without saying where',
      () => listed(() => page(['7', '3'], '<IsTruncated>true</IsTruncated>')),
      'PUBLISHED_REFUSED',
    ],
    [
      'a page that is no list',
      () => listed(() => ({ status: 200, body: '<html>welcome</html>' })),
      'PUBLISHED_REFUSED',
    ],
    ['the same page for ever', () => listed(() => page(['7', '3'], NEXT('again'))), 'PUBLISHED_REFUSED'],
    [
      'more keys than a page has',
      () => listed(() => page(Array<string>(1_001).fill('3'))),
      'PUBLISHED_REFUSED',
    ],
    ['an old note under a newer name', () => s3.put('lk/checkpoints/7', log.noteAt(3)), 'PUBLISHED_FOREIGN'],
    [
      'an old note under a newer name, and the newest gone',
      () => {
        s3.put('lk/checkpoints/9', log.noteAt(3));
      },
      'PUBLISHED_FOREIGN',
    ],
  ])('with %s is refused', async (_, make, code) => {
    make();
    expect(await refusal(read())).toMatchObject({ code });
  });

  it('is not listened to for ever, however new each of its pages is', async () => {
    listed((n) => page(['3'], NEXT(`page${n}`)));
    const began = Date.now();
    expect(await refusal(read())).toMatchObject({ code: 'PUBLISHED_REFUSED' });
    expect(Date.now() - began).toBeLessThan(20_000);
  });
});

describe('a folder that cannot be read whole', () => {
  let folder: string;
  beforeEach(() => {
    folder = tempDir();
    mkdirSync(join(folder, 'checkpoints'));
    for (const size of [3, 7]) writeFileSync(join(folder, 'checkpoints', `${size}`), log.noteAt(size));
    writeFileSync(join(folder, 'checkpoint'), log.noteAt(7));
  });
  const read = (): ReturnType<typeof readPublished> => readPublished(folder, { cwd: '/', environment: {} });

  it.each<[string, () => void]>([
    [
      'the list of kept ones',
      () => {
        rmSync(join(folder, 'checkpoints'), { recursive: true });
        writeFileSync(join(folder, 'checkpoints'), '');
      },
    ],
    [
      'a kept one that leads nowhere',
      () => {
        rmSync(join(folder, 'checkpoints', '3'));
        symlinkSync(join(folder, 'none'), join(folder, 'checkpoints', '3'));
      },
    ],
    ['all kept ones', () => rmSync(join(folder, 'checkpoints'), { recursive: true })],
  ])('is not called good: %s', async (_, make) => {
    expect((await read()).notes).toHaveLength(3);
    make();
    expect(['PUBLISHED_SHRANK', 'PUBLISHED_REFUSED', 'PUBLISHED_FOREIGN']).toContain(
      (await refusal(read())).code,
    );
  });
});

describe('what was seen of a place', () => {
  it('is the most that any process saw, whoever writes last', async () => {
    const home = openHome(tempDir());
    const sizes = [7, 20, 3, 15, 11];
    await Promise.all(sizes.map((size) => home.sawPublished(PLACE, log.noteAt(size))));
    await home.sawPublished(PLACE, log.noteAt(9));
    expect(await home.published(PLACE)).toBe(log.noteAt(20));
  });
});

describe('an address', () => {
  it.each<[string, number, Record<string, string>, string]>([
    ['leads elsewhere', 302, { location: 'http://127.0.0.1:9/' }, 'PUBLISHED_UNREACHABLE'],
    ['is broken', 500, {}, 'PUBLISHED_REFUSED'],
  ])('that %s gives nothing', async (_, status, headers, code) => {
    const server = createServer((__, response) => response.writeHead(status, headers).end(log.noteAt(3)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const reading = readPublished(`http://127.0.0.1:${port}/lk`, { cwd: '/', environment: {} });
    expect(await refusal(reading)).toMatchObject({ code });
    server.close();
  });
});
