/** docs/oci.md, run: an image, from its tag to a record of a call. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneDxErrors } from './helpers/cyclonedx.ts';
import { PLATFORM, serverImage } from './helpers/image.ts';
import { type OciRegistry, startOciRegistry } from './helpers/oci-registry.ts';
import { clientLines, shellLines, startTour, type Tour } from './helpers/tour.ts';

const lines = shellLines('docs/oci.md');

const CALLS = ['greet', 'where', 'write', 'machine'].map((name) => ({ name, arguments: {} }));

describe('[oci] docs/oci.md', () => {
  const image = serverImage();
  let dir: string;
  let tour: Tour | undefined;
  let registry: OciRegistry;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-oci-'));
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'project'));
    mkdirSync(join(dir, 'docker'));
    registry = await startOciRegistry({ login: { scheme: 'bearer', pair: 'ann:secret' } }, (undo) =>
      ends.push(undo),
    );
    registry.push(image, '1.0.0');
    const auth = Buffer.from('ann:secret').toString('base64');
    writeFileSync(join(dir, 'docker/config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    tour = await startTour(dir, { serve: environment(), environment });
  });
  const ends: (() => Promise<void>)[] = [];
  afterAll(async () => {
    await tour?.close();
    for (const end of ends) await end();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  const environment = (): Record<string, string> => ({
    ...(process.env as Record<string, string>),
    NO_COLOR: '1',
    HOST: registry.host,
    LOCKKEEPER_HOME: join(dir, 'home'),
    DOCKER_CONFIG: join(dir, 'docker'),
  });

  it('works as written; what runs is the image alone, and no registry is asked', async () => {
    const { must, people } = tour as Tour;
    writeFileSync(join(dir, 'project/calls.jsonl'), clientLines(...CALLS));
    await people();
    const said: Record<string, string> = {};
    let asked = 0;
    for (const line of lines) {
      if (line.startsWith('lk run')) asked = registry.requests.length;
      said[line] = await must(line);
    }
    const of = (part: string): string => said[lines.find((line) => line.includes(part)) ?? ''] ?? '';
    expect(registry.requests).toHaveLength(asked);
    expect(of('lk review')).toContain(`${PLATFORM}, 2 layers`);
    expect(of('lk review')).toContain('sh /srv/server.sh one in /srv of the image');
    const bill = JSON.parse(of('lk sbom'));
    expect(cycloneDxErrors(bill)).toEqual([]);
    expect(bill.metadata.component).toMatchObject({
      type: 'container',
      components: Array(5).fill({ type: 'file' }),
    });
    expect(of('lk ci')).toContain('is locked, approved and current');
    expect(of('lk run')).toContain('hello from the image');
    expect(of('lk run')).toContain('/srv one /srv /bin');
    expect(of('lk run')).toContain('refused');
    expect(of('lk run')).not.toContain('written');
    expect(of('lk run')).toMatch(/"\/bin \/dev (?:\/lib\d* )+\/lockkeeper \/proc \/run \/srv \/tmp/);
    expect(of('lk run')).toContain('TOOL_REFUSED');
    expect(of('lk audit')).toContain('greet');

    const { lock } = JSON.parse(readFileSync(join(dir, 'project/mcp.lock'), 'utf8'));
    const { launch, closure, source } = lock.servers.shell;
    expect(source).toBe(`oci:${registry.host}/acme/shell@${image.index.digest}`);
    expect(launch.image).toMatchObject({ platform: PLATFORM, workingDir: '/srv', user: '1000' });
    expect(closure.artifacts).toHaveLength(5);
  });
});
