import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scan } from '../../scanner/scan.ts';
import { pinSurface, Surface } from '../../schemas/surface.ts';
import { assertValid } from '../../schemas/validate.ts';
import {
  checkOf,
  firedIn,
  hostile,
  plain,
  processesWith,
  refusalOf,
  requestFor,
  worldOf,
} from './harness.ts';

const tool = (name: string, more = {}) => ({
  name,
  description: `Does ${name}.`,
  inputSchema: { type: 'object', properties: { q: { type: 'string' } } },
  ...more,
});
const reading = { readOnlyHint: true };

describe('a server that behaves', () => {
  it('is taken whole, page by page, from the raw JSON', async () => {
    const tools = [
      tool('one', { annotations: reading, _meta: { 'x/y': [1, 1.5, null] }, unknownMember: { kept: true } }),
      tool('two'),
      tool('three', { icons: [{ src: 'data:,' }] }),
    ];
    const prompts = [{ name: 'greet', arguments: [{ name: 'who', required: true }] }];
    const resources = [{ uri: 'memo://a', name: 'a' }];
    const templates = [{ uriTemplate: 'memo://{id}', name: 'any' }];
    const { ports } = await worldOf([
      plain({ tools, prompts, resources, templates, page: 2, instructions: 'Use it well.' }),
    ]);
    const { surface, report, launch } = await scan(requestFor(), ports);
    assertValid(Surface, surface, 'the surface');
    expect(Object.values(surface.tools)).toEqual(tools);
    expect(surface.prompts).toEqual({ greet: prompts[0] });
    expect(surface.resources).toEqual({ 'memo://a': resources[0] });
    expect(surface.resourceTemplates).toEqual({ 'memo://{id}': templates[0] });
    expect(surface.instructions).toBe('Use it well.');
    expect(surface.volatile).toEqual([]);
    expect(surface.capture).toEqual({
      protocolVersion: '2025-11-25',
      eras: ['session'],
      clientCapabilities: { roots: { listChanged: true }, sampling: {}, elicitation: {} },
    });
    expect(launch).toEqual({
      transport: 'stdio',
      command: ['node', '/app/node_modules/@acme/server/index.mjs'],
      projectArgs: false,
    });
    expect(report.egressTried).toEqual([]);
    expect(readdirSync(ports.workDir).filter((name) => name.startsWith('observe-'))).toEqual([]);
  });

  it('is read again when it says that its tools changed', async () => {
    const { ports } = await worldOf([plain({ tools: [tool('one'), tool('late')], late: 1 })]);
    const { surface } = await scan(requestFor(), ports);
    expect(Object.keys(surface.tools)).toEqual(['one', 'late']);
  });

  it('may ask its client, and is told that nobody is there', async () => {
    const { ports } = await worldOf([hostile('asks')]);
    expect(Object.keys((await scan(requestFor(), ports)).surface.tools)).toEqual(['one']);
  });

  it('may print a line that is no message', async () => {
    const { ports } = await worldOf([hostile('talkative')]);
    expect(Object.keys((await scan(requestFor(), ports)).surface.tools)).toEqual(['one']);
  });

  it('gets a placeholder for a secret it may be given, as a file that a variable names', async () => {
    const { permissions } = requestFor().submission;
    const secrets = ['ACME_KEY'];
    const { ports } = await worldOf([plain({ tools: [tool('one')], needs: 'ACME_KEY_FILE' })]);
    const { surface } = await scan(requestFor({ permissions: { ...permissions, secrets } }), ports);
    expect(Object.keys(surface.tools)).toEqual(['one']);
    expect((await refusalOf(scan(requestFor(), ports))).code).toBe('SERVER_DIED');
  });

  it('gets a placeholder for a variable it may be given, and is tried without it too', async () => {
    const env = ['API_KEY'];
    const permissions = { ...requestFor().submission.permissions, env };
    const { ports } = await worldOf([plain({ tools: [tool('one')], needs: 'API_KEY' })]);
    const { report } = await scan(requestFor({ permissions }), ports);
    const observation = JSON.parse(
      (await ports.blobs.get(report.evidence.observation ?? '')).toString('utf8'),
    );
    expect(observation.environment).toEqual(env);
    const refusal = await refusalOf(scan(requestFor(), ports));
    expect(refusal.code).toBe('SERVER_DIED');
    expect(refusal.message).toContain('the variable API_KEY is not set');
  });
});

describe('protocol eras', () => {
  it('are both locked where both show the same', async () => {
    const { ports } = await worldOf([plain({ tools: [tool('one')], stateless: true })]);
    const result = await scan(requestFor(), ports);
    expect(result.surface.capture.eras).toEqual(['session', 'stateless']);
    expect(checkOf(result, 'LK-SRF-03').outcome).toBe('ok');
  });

  it('are told apart where they show different tools', async () => {
    const shows = { tools: [tool('one')], stateless: true, statelessTools: [tool('one'), tool('other')] };
    const { ports } = await worldOf([plain(shows)]);
    const result = await scan(requestFor(), ports);
    expect(result.surface.capture.eras).toEqual(['session']);
    expect(Object.keys(result.surface.tools)).toEqual(['one']);
    expect(firedIn(result, 'LK-SRF-03')).toEqual([expect.stringContaining('only the session era is locked')]);
  });

  it('may be the stateless one alone', async () => {
    const { ports } = await worldOf([plain({ tools: [tool('one')], stateless: 'only' })]);
    const { surface } = await scan(requestFor(), ports);
    expect(surface.capture).toMatchObject({ eras: ['stateless'], protocolVersion: '2026-07-28' });
    expect(Object.keys(surface.tools)).toEqual(['one']);
  });
});

describe('a surface that varies', () => {
  it('is masked where it differs between two starts', async () => {
    const { ports } = await worldOf([hostile('volatile')]);
    const first = await scan(requestFor(), ports);
    const again = await scan(requestFor(), ports);
    expect(first.surface.volatile).toEqual(['/tools/now/description']);
    expect(first.surface.tools.now).not.toEqual(again.surface.tools.now);
    expect(again.surfaceDigest).toBe(first.surfaceDigest);
    const other = structuredClone(first.surface);
    Object.assign(other.tools.now ?? {}, { title: 'another' });
    expect(pinSurface(other).digest).not.toBe(first.surfaceDigest);
  });
});

describe('a server that knows its clients by name', () => {
  const forClient = { name: 'claude-code', tools: [tool('one', { description: 'Does other things.' })] };

  it.each([
    ['sessions', {}],
    ['stateless', { stateless: 'only' }],
  ])('and shows one of them something else, is told of: %s', async (_, era) => {
    const { ports } = await worldOf([plain({ tools: [tool('one')], forClient, ...era })]);
    const result = await scan(requestFor(), ports);
    expect(result.surface.tools.one?.description).toBe('Does one.');
    expect(result.surface.volatile).toEqual([]);
    expect(firedIn(result, 'LK-SRF-06')).toEqual([
      'a client called claude-code is shown something else at /tools/one/description',
    ]);
    expect(checkOf(result, 'LK-SRF-06').gates).toBe(true);
  });

  it('and turns one of them away, is unknown there', async () => {
    const { ports } = await worldOf([hostile('turns-away')]);
    const result = await scan(requestFor(), ports);
    expect(checkOf(result, 'LK-SRF-06')).toMatchObject({
      outcome: 'unknown',
      reason: expect.stringMatching(/claude-code: .*exit 5/),
    });
  });

  it('is not one whose texts vary by themselves', async () => {
    const { ports } = await worldOf([hostile('volatile')]);
    expect(checkOf(await scan(requestFor(), ports), 'LK-SRF-06').outcome).toBe('ok');
  });
});

describe('a server that cannot be read', () => {
  const cases: readonly [string, string, RegExp][] = [
    ['silent', 'SERVER_SILENT', /an answer to initialize within 4 s; found none/],
    ['sleeps', 'SERVER_SILENT', /an answer to tools\/list within 4 s/],
    [
      'dies-in-handshake',
      'SERVER_DIED',
      /it ended \(exit 7\), last saying "cannot open \\u001b\[31mdatabase/,
    ],
    ['dies-in-list', 'SERVER_DIED', /it ended \(exit 3\)/],
    ['long-line', 'FRAME_TOO_LARGE', /lines of at most \d+ bytes; found a longer one/],
    ['duplicate-tools', 'SURFACE_UNREADABLE', /each name once; found one twice, "read"/],
    ['duplicate-keys', 'SURFACE_UNREADABLE', /each key once per object; found key "description" twice/],
    ['vanishing', 'SURFACE_UNREADABLE', /the same tools in two starts; found goes in one of them only/],
    ['endless-pages', 'SURFACE_UNREADABLE', /pages that end; found one cursor again, "again"/],
    ['too-many', 'SURFACE_UNREADABLE', /at most 10000 items/],
    ['no-utf8', 'SURFACE_UNREADABLE', /UTF-8/],
    ['bad-utf8', 'JSON_INVALID', /surrogate|Unicode/],
    ['kills-parent', 'SERVER_DIED', /it ended/],
    ['nameless', 'SURFACE_UNREADABLE', /a name in every item/],
    ['restless', 'SURFACE_UNREADABLE', /lists that come to rest/],
  ];
  /** Their answer never comes, or never counts: what is waited for it is waited out. */
  const NO_ANSWER = ['silent', 'sleeps', 'duplicate-keys', 'no-utf8'];
  it.each(cases)('is refused: %s', async (mode, code, sentence) => {
    const marker = `lkmark${Math.random().toString(36).slice(2)}`;
    const patience = NO_ANSWER.includes(mode) ? [4000] : [];
    const { ports, dir } = await worldOf([hostile(`${mode} ${marker}`)], ...patience);
    const refusal = await refusalOf(scan(requestFor({ args: [marker] }), ports));
    expect(refusal.message).toMatch(sentence);
    expect(refusal.code).toBe(code);
    expect(processesWith(marker)).toEqual([]);
    expect(readdirSync(dir).filter((name) => name.startsWith('observe-'))).toEqual([]);
  });

  it('leaves no child behind', async () => {
    const marker = `lkmark${Math.random().toString(36).slice(2)}`;
    const { ports } = await worldOf([hostile(`forks ${marker}`)]);
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, processesWith(marker).length);
    }, 50);
    await scan(requestFor({ args: [marker] }), ports).finally(() => clearInterval(watch));
    expect(most).toBeGreaterThanOrEqual(4);
    expect(processesWith(marker)).toEqual([]);
  });
});

describe('a server whose words nobody could read', () => {
  it.each(['vast', 'large'])('is a finding, in time: %s', async (mode) => {
    const { ports } = await worldOf([hostile(mode)]);
    const result = await scan(requestFor(), ports);
    expect(firedIn(result, 'LK-TXT-02')).toEqual([
      expect.stringMatching(/longer than is read \(\d{7,} characters\)|shows more text than is read/),
    ]);
    expect(JSON.stringify(result.report).length).toBeLessThan(100_000);
  });
});

describe('a server that reaches out', () => {
  it('gets nowhere, and what it tried is told', async () => {
    const { ports } = await worldOf([hostile('egress')]);
    const result = await scan(requestFor(), ports);
    expect(result.report.egressTried).toEqual(['203.0.113.9:4444', 'collect.example:443']);
    expect(firedIn(result, 'LK-BEH-01')).toEqual([
      'it tried to reach 203.0.113.9:4444',
      'it tried to reach collect.example:443',
    ]);
  });
});
