/** docs/mcpb.md, run: a bundle, from its file to a record of a call. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../schemas/json.ts';
import { nodeBundle } from './helpers/mcpb.ts';
import { clientLines, startTour, type Tour } from './helpers/tour.ts';

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
  let tour: Tour;

  beforeAll(async () => {
    tour = await startTour('mcpb', (dir) => {
      writeFileSync(join(dir, 'weather.mcpb'), bundle());
      return { BUNDLE: join(dir, 'weather.mcpb') };
    });
  });
  afterAll(() => tour?.close());

  it('works as written; what runs are the files of the bundle alone', async () => {
    writeFileSync(
      join(tour.dir, 'project/calls.jsonl'),
      clientLines({ name: TOOL.name, arguments: { town: 'Bremen' } }),
    );
    await tour.people();
    const of = await tour.follow('docs/mcpb.md', async (line) => {
      if (!line.startsWith('lk scan')) return null;
      // A scan by hand has nobody to accept what is unknown.
      const { exit, stdout } = await tour.shell(line);
      expect(exit).toBe(4);
      return stdout;
    });
    expect(of('lk scan')).toContain('could not verify');
    expect(of('lk review')).toContain('weather by Acme, as it says; for node');
    expect(of('lk review')).toContain('UNITS=metric node /app/bundle/server/index.mjs');
    expect(of('lk review')).toContain('variables WEATHER_KEY');
    expect(of('lk ci')).toContain('is locked, approved and current');
    expect(of('lk run')).toContain('TOOL_REFUSED');
    expect(of('lk audit')).toContain('tomorrow');

    const { lock } = tour.json('mcp.lock');
    const { launch, closure, source } = lock.servers.weather;
    expect(source).toBe(`mcpb:weather@${sha256(bundle())}`);
    expect(launch.env).toEqual({ UNITS: 'metric' });
    expect(closure.artifacts.map(({ purl }: { purl: string }) => purl)).toContain('pkg:npm/left-pad@1.3.0');
  });
});
