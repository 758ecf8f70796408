/** docs/git.md, run: a commit, from its tag to a record of a call. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GitServer, startGitServer } from './helpers/git-server.ts';
import { clientLines, shellLines, startTour, type Tour } from './helpers/tour.ts';

const lines = shellLines('docs/git.md');
const TOOL = {
  name: 'tomorrow',
  description: 'Tells the weather of tomorrow in a town',
  inputSchema: { type: 'object', properties: { town: { type: 'string', description: 'its name' } } },
};

function files(): Record<string, string> {
  const manifest = { name: 'weather', version: '1.0.0', type: 'module', bin: 'index.mjs' };
  return {
    'package.json': JSON.stringify(manifest),
    'index.mjs': readFileSync(join(import.meta.dirname, 'servers/scan-plain.mjs'), 'utf8'),
    'server.json': JSON.stringify({ tools: [TOOL] }),
  };
}

describe('[git] docs/git.md', () => {
  let dir: string;
  let tour: Tour | undefined;
  let git: GitServer;
  let commit: string;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-git-'));
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'project'));
    git = await startGitServer();
    commit = git.commit(files());
    git.run('tag', 'v1.0.0');
    git.push();
    tour = await startTour(dir, { serve: environment(), environment });
  });
  afterAll(async () => {
    await tour?.close();
    await git?.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  const environment = (): Record<string, string> => ({
    ...(process.env as Record<string, string>),
    NO_COLOR: '1',
    REPOSITORY: git.url,
    LOCKKEEPER_HOME: join(dir, 'home'),
  });

  it('works as written; what runs is the tree of the commit alone', async () => {
    const { must, people } = tour as Tour;
    writeFileSync(
      join(dir, 'project/calls.jsonl'),
      clientLines({ name: TOOL.name, arguments: { town: 'Bremen' } }),
    );
    await people();
    const said: Record<string, string> = {};
    for (const line of lines) said[line] = await must(line);
    const of = (part: string): string => said[lines.find((line) => line.includes(part)) ?? ''] ?? '';
    expect(of('lk review')).toContain(commit.slice(0, 12));
    expect(of('lk review')).toContain('node /app/source/index.mjs');
    expect(of('lk ci')).toContain('is locked, approved and current');
    expect(of('lk run')).toContain('TOOL_REFUSED');
    expect(of('lk audit')).toContain('tomorrow');

    const { lock } = JSON.parse(readFileSync(join(dir, 'project/mcp.lock'), 'utf8'));
    expect(lock.servers.weather.source).toBe(`git:${git.url}#v1.0.0@${commit}`);
    expect(lock.servers.weather.closure.artifacts).toHaveLength(1);
  });
});
