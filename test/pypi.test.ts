/** docs/pypi.md, run: a real server of the Python package index, from its name to a record of a call. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { machinePython } from '../runtime/python/machine.ts';
import { clientLines, MAIN, shellLines, startTour, type Tour } from './helpers/tour.ts';

const lines = shellLines('docs/pypi.md');

const CALL = {
  name: 'convert_time',
  arguments: { source_timezone: 'UTC', time: '12:00', target_timezone: 'Asia/Tokyo' },
};

describe('[pypi] docs/pypi.md', () => {
  let dir: string;
  let tour: Tour | undefined;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-pypi-'));
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'project'));
    tour = await startTour(dir, { serve: process.env, environment });
  });
  afterAll(async () => {
    await tour?.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  const environment = (): Record<string, string> => ({
    ...(process.env as Record<string, string>),
    NO_COLOR: '1',
    LOCKKEEPER_HOME: join(dir, 'home'),
  });

  it('works as written, and a client of the SDK calls it', async () => {
    const { must, people } = tour as Tour;
    writeFileSync(join(dir, 'project/calls.jsonl'), clientLines(CALL));
    await people();
    const said: Record<string, string> = {};
    for (const line of lines) said[line] = await must(line);
    const of = (part: string): string => said[lines.find((line) => line.includes(part)) ?? ''] ?? '';
    const python = await machinePython();

    expect(of('lk review')).toContain('python mcp_server_time:main mcp-server-time --local-timezone=UTC');
    expect(of('lk review')).toContain(python.abi);
    expect(of('lk ci')).toContain('is locked, approved and current');
    expect(of('lk run')).toContain('+9.0h');
    expect(of('lk run')).toContain('TOOL_REFUSED');
    expect(of('lk audit')).toContain('convert_time');

    const client = new Client({ name: 'sdk', version: '1' });
    const args = [MAIN, 'run', 'time', '--as', 'admin'];
    const where = { cwd: join(dir, 'project'), env: environment(), stderr: 'ignore' as const };
    await client.connect(new StdioClientTransport({ command: process.execPath, args, ...where }));
    expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual([
      'convert_time',
      'get_current_time',
    ]);
    expect(JSON.stringify(await client.callTool(CALL))).toContain('+9.0h');
    await client.close();

    const started = await must('lk audit --as admin --kind session.started --json');
    expect(started).toContain(`${python.version} ${python.digest}`);
    const { lock } = JSON.parse(readFileSync(join(dir, 'project/mcp.lock'), 'utf8'));
    const { launch, closure } = lock.servers.time;
    expect(launch.python).toMatchObject({ abi: python.abi });
    expect(closure.artifacts.length).toBeGreaterThan(10);
    for (const { location } of closure.artifacts) expect(location).toMatch(/^wheels\/.+\.whl$/);
  });
});
