/** What a gateway's configuration says of single servers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  assertLocked,
  GATEWAY_FILE,
  type OpenedConfig,
  readGatewayConfig,
} from '../../cli/gateway/config.ts';
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
