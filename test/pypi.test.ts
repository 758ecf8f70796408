/** docs/pypi.md, run: a real server of the Python package index, from its name to a record of a call. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { machinePython } from '../runtime/python/machine.ts';
import { clientLines, MAIN, startTour, type Tour } from './helpers/tour.ts';

const CALL = {
  name: 'convert_time',
  arguments: { source_timezone: 'UTC', time: '12:00', target_timezone: 'Asia/Tokyo' },
};

describe('[pypi] docs/pypi.md', () => {
  let tour: Tour;

  beforeAll(async () => {
    tour = await startTour('pypi');
  });
  afterAll(() => tour?.close());

  it('works as written, and a client of the SDK calls it', async () => {
    const { dir, environment, must } = tour;
    writeFileSync(join(dir, 'project/calls.jsonl'), clientLines(CALL));
    await tour.people();
    const of = await tour.follow('docs/pypi.md');
    const python = await machinePython();

    expect(of('lk review')).toContain('python mcp_server_time:main mcp-server-time --local-timezone=UTC');
    expect(of('lk review')).toContain(python.abi);
    expect(of('lk ci')).toContain('is locked, approved and current');
    expect(of('lk run')).toContain('+9.0h');
    expect(of('lk run')).toContain('TOOL_REFUSED');
    expect(of('lk audit')).toContain('convert_time');

    const client = new Client({ name: 'sdk', version: '1' });
    const args = [MAIN, 'run', 'time', '--as', 'admin'];
    const where = { cwd: join(dir, 'project'), env: environment, stderr: 'ignore' as const };
    await client.connect(new StdioClientTransport({ command: process.execPath, args, ...where }));
    expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual([
      'convert_time',
      'get_current_time',
    ]);
    expect(JSON.stringify(await client.callTool(CALL))).toContain('+9.0h');
    await client.close();

    const started = await must('lk audit --as admin --kind session.started --json');
    expect(started).toContain(`${python.version} ${python.digest}`);
    const { lock } = tour.json('mcp.lock');
    const { launch, closure } = lock.servers.time;
    expect(launch.python).toMatchObject({ abi: python.abi });
    expect(closure.artifacts.length).toBeGreaterThan(10);
    for (const { location } of closure.artifacts) expect(location).toMatch(/^wheels\/.+\.whl$/);
  });
});
