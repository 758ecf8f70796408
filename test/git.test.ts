/** docs/git.md, run: a commit, from its tag to a record of a call. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GitServer, startGitServer } from './helpers/git-server.ts';
import { clientLines, startTour, type Tour } from './helpers/tour.ts';

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
  let tour: Tour;
  let git: GitServer;
  let commit: string;

  beforeAll(async () => {
    git = await startGitServer();
    commit = git.commit(files());
    git.run('tag', 'v1.0.0');
    git.push();
    tour = await startTour('git', () => ({ REPOSITORY: git.url }));
  });
  afterAll(async () => {
    await tour?.close();
    await git?.close();
  });

  it('works as written; what runs is the tree of the commit alone', async () => {
    writeFileSync(
      join(tour.dir, 'project/calls.jsonl'),
      clientLines({ name: TOOL.name, arguments: { town: 'Bremen' } }),
    );
    await tour.people();
    const of = await tour.follow('docs/git.md');
    expect(of('lk review')).toContain(commit.slice(0, 12));
    expect(of('lk review')).toContain('node /app/source/index.mjs');
    expect(of('lk ci')).toContain('is locked, approved and current');
    expect(of('lk run')).toContain('TOOL_REFUSED');
    expect(of('lk audit')).toContain('tomorrow');

    const { lock } = tour.json('mcp.lock');
    expect(lock.servers.weather.source).toBe(`git:${git.url}#v1.0.0@${commit}`);
    expect(lock.servers.weather.closure.artifacts).toHaveLength(1);
  });
});
