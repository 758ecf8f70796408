/** What a gateway's configuration says of single servers. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  assertLocked,
  GATEWAY_FILE,
  type OpenedConfig,
  readGatewayConfig,
} from '../../cli/gateway/config.ts';
import { INSTANCE_LIMITS } from '../../runtime/gateway/instances.ts';
import { LIMITS } from '../../runtime/gateway/ports.ts';
import { GatewayConfig, GatewayLimitsConfig } from '../../schemas/gateway.ts';
import { tempDir } from '../helpers/session.ts';

function read(more: object): Promise<OpenedConfig> {
  const dir = tempDir();
  writeFileSync(join(dir, GATEWAY_FILE), JSON.stringify({ lockkeeper: 'gateway/v1', ...more }));
  return readGatewayConfig(dir, undefined, null);
}
const times = ({ callMs }: OpenedConfig): number[] => ['docs', 'code'].map((alias) => callMs(alias));

describe('the time of calls', () => {
  it('is five minutes, what the limits say, or what is said of one server', async () => {
    expect(times(await read({}))).toEqual([300_000, 300_000]);
    expect(times(await read({ limits: { callSeconds: 60 } }))).toEqual([60_000, 60_000]);
    const one = await read({ limits: { callSeconds: 60 }, servers: { docs: { callSeconds: 2 } } });
    expect(times(one)).toEqual([2000, 60_000]);
    expect(one.limits).not.toHaveProperty('callSeconds');
  });

  it('of a server that is not locked starts nothing, nor does a word that is not known', async () => {
    const config = await read({ servers: { dosc: { callSeconds: 2 } } });
    expect(() => assertLocked(config, ['dosc'])).not.toThrow();
    expect(() => assertLocked(config, ['docs'])).toThrow(/found dosc/);
    for (const servers of [{ docs: { callseconds: 2 } }, { docs: { callSeconds: 0 } }, { 'do cs': {} }])
      await expect(read({ servers })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

/** What is opened, with the times of calls as they are for a server of which nothing is said. */
const opened = async (more: object): Promise<string> => {
  const { config: _config, dir: _dir, callMs, ...rest } = await read(more);
  return JSON.stringify({ ...rest, callMs: callMs('docs') });
};
const runtime = join(import.meta.dirname, '../../runtime/gateway');
const sources = readdirSync(runtime, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && path !== 'ports.ts')
  .map((path) => readFileSync(join(runtime, path), 'utf8'))
  .join('\n')
  .replace(/^.*INSTANCE_LIMITS.*$/gm, '');

describe('a key of the configuration', () => {
  it.each(Object.keys(GatewayLimitsConfig.properties))('limits.%s changes what is opened', async (key) => {
    const [plain, one, two] = [await opened({}), { limits: { [key]: 1025 } }, { limits: { [key]: 99 } }];
    // The bounds of a number are its own: one of the two is within them.
    const changed = await opened(one).catch(() => opened(two));
    expect(changed).not.toBe(plain);
  });

  it.each([...Object.keys(LIMITS), ...Object.keys(INSTANCE_LIMITS)])(
    '%s is read where it is to hold',
    (name) => {
      expect(sources).toMatch(
        new RegExp(`\\b(?:limits|LIMITS|max)\\b[^\\n]*\\b${name}\\b|\\b${name}\\b[^\\n]*limits`, 'i'),
      );
    },
  );

  it.each<[string, object]>([
    ['the file', { more: 1 }],
    ['listen', { listen: { host: '127.0.0.1', port: 1, more: 1 } }],
    ['tls', { tls: { cert: 'a', key: 'b', more: 1 } }],
    ['identity', { identity: { more: 1 } }],
    ['upstream', { upstream: { docs: { more: 1 } } }],
    ['content', { content: { more: 1 } }],
    ['limits', { limits: { more: 1 } }],
    ['servers', { servers: { docs: { more: 1 } } }],
  ])('that nobody knows in %s starts nothing', async (where, more) => {
    await expect(read(more), where).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('is in one of these tables, if it holds others', () => {
    const flat = ['lockkeeper', 'hosts', 'origins', 'metrics'];
    const known = ['listen', 'tls', 'identity', 'upstream', 'content', 'limits', 'servers'];
    expect(Object.keys(GatewayConfig.properties).sort()).toEqual([...flat, ...known].sort());
  });
});
