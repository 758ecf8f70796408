import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allDrivers } from '../../../runtime/isolation/select.ts';
import type { IsolationDriver, LaunchPlan } from '../../../runtime/ports.ts';
import { openBlobs } from '../../../runtime/store/blobs.ts';
import { materialise } from '../../../runtime/store/materialise.ts';
import { imageLaunch } from '../../../scanner/oci/source.ts';
import { closureOf, type Image, PLATFORM, serverImage } from '../../helpers/image.ts';
import { openDir, planFor } from '../../helpers/sandbox.ts';

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
  it('sees its own tree alone, read-only, with its own variables', { timeout: 120_000 }, async () => {
    const texts = await textsOf(driver, await planOf(image), ['greet', 'where', 'write', 'machine']);
    expect(texts.slice(0, 3)).toEqual(['hello from the image', '/srv one /srv /bin', 'refused']);
    const folders = (texts[3] ?? '').split(' ').filter((name) => !name.startsWith('/lib'));
    const own = ['/bin', '/dev', '/lockkeeper', '/proc', '/run', '/srv', '/sys', '/tmp', '/etc'];
    expect(folders.filter((name) => !own.includes(name))).toEqual([]);
    expect(folders).toContain('/srv');
  });
});
