/** docs/oci.md, run: an image, from its tag to a record of a call. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneDxErrors } from './helpers/cyclonedx.ts';
import { PLATFORM, serverImage } from './helpers/image.ts';
import { type OciRegistry, startOciRegistry } from './helpers/oci-registry.ts';
import { clientLines, startTour, type Tour } from './helpers/tour.ts';

const CALLS = ['greet', 'where', 'write', 'machine'].map((name) => ({ name, arguments: {} }));

describe('[oci] docs/oci.md', () => {
  const image = serverImage();
  let tour: Tour;
  let registry: OciRegistry;

  beforeAll(async () => {
    registry = await startOciRegistry({ login: { scheme: 'bearer', pair: 'ann:secret' } }, (undo) =>
      ends.push(undo),
    );
    registry.push(image, '1.0.0');
    const auth = Buffer.from('ann:secret').toString('base64');
    tour = await startTour('oci', (dir) => {
      const docker = join(dir, 'docker');
      mkdirSync(docker);
      writeFileSync(join(docker, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
      return { HOST: registry.host, DOCKER_CONFIG: docker };
    });
  });
  const ends: (() => Promise<void>)[] = [];
  afterAll(async () => {
    await tour?.close();
    for (const end of ends) await end();
  });

  it('works as written; what runs is the image alone, and no registry is asked', async () => {
    writeFileSync(join(tour.dir, 'project/calls.jsonl'), clientLines(...CALLS));
    await tour.people();
    let asked = 0;
    const of = await tour.follow('docs/oci.md', async (line) => {
      if (line.startsWith('lk run')) asked = registry.requests.length;
      return null;
    });
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

    const { lock } = tour.json('mcp.lock');
    const { launch, closure, source } = lock.servers.shell;
    expect(source).toBe(`oci:${registry.host}/acme/shell@${image.index.digest}`);
    expect(launch.image).toMatchObject({ platform: PLATFORM, workingDir: '/srv', user: '1000' });
    expect(closure.artifacts).toHaveLength(5);
  });
});
