/** docs/mcpb.md, run: a bundle, from its file to a record of a call. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../schemas/json.ts';
import { nodeBundle } from './helpers/mcpb.ts';
import { clientLines, shellLines, startTour, type Tour } from './helpers/tour.ts';

const lines = shellLines('docs/mcpb.md');
const TOOL = {
  name: 'tomorrow',
  description: 'Tells the weather of tomorrow in a town',
  inputSchema: { type: 'object', properties: { town: { type: 'string', description: 'its name' } } },
};

function bundle(): Buffer {
  const option = { title: 'x', description: 'x', type: 'string', required: true };
  const env = { WEATHER_KEY: '${user_config.key}', UNITS: '${user_config.units}' };
  const mcp_config = { command: 'node', args: ['${__dirname}/server/index.mjs'], env };
  const shows = { tools: [TOOL], needs: 'UNITS' };
  return nodeBundle(shows, {
    server: { mcp_config },
    manifest: {
      tools: [{ name: TOOL.name, description: TOOL.description }],
      user_config: { key: { ...option, sensitive: true }, units: option },
    },
  });
}

describe('[mcpb] docs/mcpb.md', () => {
  let dir: string;
  let tour: Tour | undefined;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-mcpb-'));
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'project'));
    writeFileSync(join(dir, 'weather.mcpb'), bundle());
    tour = await startTour(dir, { serve: environment(), environment });
  });
  afterAll(async () => {
    await tour?.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  const environment = (): Record<string, string> => ({
    ...(process.env as Record<string, string>),
    NO_COLOR: '1',
    BUNDLE: join(dir, 'weather.mcpb'),
    LOCKKEEPER_HOME: join(dir, 'home'),
  });

  it('works as written; what runs are the files of the bundle alone', async () => {
    const { must, shell, people } = tour as Tour;
    writeFileSync(
      join(dir, 'project/calls.jsonl'),
      clientLines({ name: TOOL.name, arguments: { town: 'Bremen' } }),
    );
    await people();
    const said: Record<string, string> = {};
    for (const line of lines) {
      // A scan by hand has nobody to accept what is unknown.
      if (!line.startsWith('lk scan')) said[line] = await must(line);
      else
        expect(await shell(line)).toMatchObject({
          exit: 4,
          stdout: expect.stringContaining('could not verify'),
        });
    }
    const of = (part: string): string => said[lines.find((line) => line.includes(part)) ?? ''] ?? '';
    expect(of('lk review')).toContain('weather by Acme, as it says; for node');
    expect(of('lk review')).toContain('UNITS=metric node /app/bundle/server/index.mjs');
    expect(of('lk review')).toContain('variables WEATHER_KEY');
    expect(of('lk ci')).toContain('is locked, approved and current');
    expect(of('lk run')).toContain('TOOL_REFUSED');
    expect(of('lk audit')).toContain('tomorrow');

    const { lock } = JSON.parse(readFileSync(join(dir, 'project/mcp.lock'), 'utf8'));
    const { launch, closure, source } = lock.servers.weather;
    expect(source).toBe(`mcpb:weather@${sha256(bundle())}`);
    expect(launch.env).toEqual({ UNITS: 'metric' });
    expect(closure.artifacts.map(({ purl }: { purl: string }) => purl)).toContain('pkg:npm/left-pad@1.3.0');
  });
});
