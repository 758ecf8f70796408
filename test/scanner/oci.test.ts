import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { materialise } from '../../runtime/store/materialise.ts';
import { ociOptionsOf } from '../../scanner/oci/options.ts';
import type { ScanPorts } from '../../scanner/ports.ts';
import { scan } from '../../scanner/scan.ts';
import { PLATFORM, serverImage } from '../helpers/image.ts';
import { startOciRegistry } from '../helpers/oci-registry.ts';
import { checkOf, firedIn, requestFor, worldOf } from './harness.ts';

async function place(environment: Record<string, string> = {}): Promise<{ ports: ScanPorts; dir: string }> {
  const { ports, dir } = await worldOf([]);
  const oci = (): ReturnType<typeof ociOptionsOf> => ociOptionsOf({ HOME: dir, ...environment });
  return { ports: { ...ports, oci }, dir };
}

describe('a server that is an image', () => {
  it('is resolved, verified, started and read', { timeout: 60_000 }, async () => {
    const image = serverImage({ Volumes: { '/srv/data': {} }, ExposedPorts: { '80/tcp': {} } });
    const registry = await startOciRegistry();
    registry.push(image);
    const { ports, dir } = await place();
    const source = `oci:${registry.host}/acme/shell@${image.index.digest}`;
    const result = await scan(requestFor({ source, version: '1.0.0' }), ports);
    expect(result.closure.artifacts.map(({ location }) => location)).toEqual([
      'oci/config.json',
      'oci/index.json',
      'oci/layers/000',
      'oci/layers/001',
      'oci/manifest.json',
    ]);
    expect(result.launch).toEqual({
      transport: 'stdio',
      command: ['sh', '/srv/server.sh', 'one'],
      projectArgs: false,
      image: {
        platform: PLATFORM,
        env: { PATH: '/bin', GREETING: 'hello from the image', LD_LIBRARY_PATH: '/srv' },
        workingDir: '/srv',
        user: '1000',
      },
    });
    expect(Object.keys(result.surface.tools).sort()).toEqual(['greet', 'machine', 'where', 'write']);
    expect(result.report.image).toMatchObject({ layers: 2, others: ['linux/s390x'], user: '1000' });
    expect(firedIn(result, 'LK-IMG-01').join('\n')).toMatch(/not looked at[\s\S]*listens[\s\S]*read-only/);
    expect(checkOf(result, 'LK-ART-01').outcome).toBe('ok');
    const again = await materialise(result.closure, ports.blobs, join(dir, 'trees'));
    expect(again.built).toBe(false);
    expect(readdirSync(join(again.appDir, 'srv')).sort()).toEqual(['data', 'server.sh']);
  });
});
