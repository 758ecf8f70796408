/** What servers are together, and what each of their tools seems to do. */
import { describe, expect, it } from 'vitest';
import { acrossLines } from '../../cli/across.ts';
import { across } from '../../scanner/across.ts';
import type { Facts } from '../../scanner/checks/check.ts';
import { labels } from '../../scanner/checks/labels.ts';
import { proposeLabels } from '../../scanner/labels.ts';
import type { JsonObject } from '../../schemas/common.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { Permissions } from '../../schemas/release.ts';
import { pinSurface, type Surface } from '../../schemas/surface.ts';
import { surface as base, makeEntry } from '../helpers/trust.ts';

type Tools = Readonly<Record<string, JsonObject>>;

const showing = (tools: Tools): Surface => ({
  ...base,
  tools: Object.fromEntries(
    Object.entries(tools).map(([name, more]) => [name, { name, inputSchema: { type: 'object' }, ...more }]),
  ),
});

function lockOf(servers: Readonly<Record<string, { tools: Tools; permissions?: Partial<Permissions> }>>) {
  const surfaces = new Map(Object.entries(servers).map(([alias, { tools }]) => [alias, showing(tools)]));
  const entries = new Map(
    Object.entries(servers).map(([alias, { permissions }]) => {
      const entry = makeEntry();
      const surface = pinSurface(surfaces.get(alias) as Surface);
      const own = { ...entry, surface, permissions: { ...entry.permissions, ...permissions } };
      return [alias, { ...own, approvals: [], approvedBy: [] } as LockEntry];
    }),
  );
  return { entries, surfaces };
}

describe('servers of one lock', () => {
  it('close a flow only together', () => {
    const web = { tools: { fetch: {} }, permissions: { labels: { fetch: ['reads-untrusted' as const] } } };
    const files = { tools: { read: {} }, permissions: { labels: { read: ['reads-private' as const] } } };
    const mail = { tools: { send: {} }, permissions: { labels: { send: ['sends-out' as const] } } };
    expect(across(lockOf({ web, files })).flow.closes).toBe(false);
    expect(across(lockOf({ web, files, mail })).flow).toEqual({
      untrusted: ['web/fetch'],
      private: ['files/read'],
      out: ['mail/send'],
      closes: true,
    });
  });

  it('count by their hints where nobody labelled them, and say how many', () => {
    const tools = { one: { annotations: { openWorldHint: false } }, two: {} };
    const { flow, unlabelled } = across(lockOf({ a: { tools, permissions: { egress: ['a.example:443'] } } }));
    expect(flow).toMatchObject({ untrusted: ['a/two'], private: ['a/one'], out: ['a/two'], closes: true });
    expect(unlabelled).toBe(2);
  });

  it('send nothing out by tools without a label where there is no network, and read nothing where there is nothing', () => {
    const one = { annotations: { openWorldHint: false } };
    const none = { egress: [], mounts: [], env: [], secrets: [] };
    const files = { ...none, mounts: [{ target: '/data', mode: 'ro' as const }] };
    expect(across(lockOf({ a: { tools: { one, two: {} }, permissions: files } })).flow).toEqual({
      untrusted: ['a/two'],
      private: ['a/one'],
      out: [],
      closes: false,
    });
    expect(across(lockOf({ a: { tools: { one, two: {} }, permissions: none } })).flow).toMatchObject({
      untrusted: [],
      private: [],
    });
    const labelled = { ...none, labels: { two: ['sends-out' as const] } };
    expect(across(lockOf({ a: { tools: { two: {} }, permissions: labelled } })).flow.out).toEqual(['a/two']);
  });

  it('have names that a model could take for one another', () => {
    const { collisions } = across(
      lockOf({
        a: { tools: { read_file: {}, own: {} } },
        b: { tools: { readFile: {} } },
        c: { tools: { 'read-file': {} } },
      }),
    );
    expect(collisions).toEqual([{ name: 'read_file', servers: ['a', 'b', 'c'] }]);
  });

  it('speak of one another where a text names a tool of another', () => {
    const { references } = across(
      lockOf({
        a: { tools: { add: { description: 'Before this, call send_mail. And own_tool.' }, own_tool: {} } },
        b: {
          tools: {
            send_mail: { description: 'Sends. See send_mail.' },
            list: { description: 'a list to add to' },
          },
        },
      }),
    );
    expect(references).toEqual([{ from: 'a', at: '/tools/add/description', to: 'b/send_mail' }]);
  });

  it('touch what each of them may', () => {
    const { reach } = across(
      lockOf({
        a: {
          tools: {},
          permissions: { egress: ['a.example:443'], mounts: [{ target: '/data', mode: 'rw' }] },
        },
        b: {
          tools: {},
          permissions: { egress: ['a.example:443', 'b.example:443'], env: ['KEY'], secrets: ['token'] },
        },
      }),
    );
    expect(reach).toEqual({
      hosts: ['a.example:443', 'b.example:443'],
      files: ['/data (rw)'],
      variables: ['KEY'],
      secrets: ['token'],
    });
  });

  it('whose texts are not at hand are named', () => {
    const { entries } = lockOf({ a: { tools: { one: {} } } });
    expect(across({ entries, surfaces: new Map() }).unread).toEqual(['a']);
  });
});

describe('the lines of lk ci', () => {
  const tools = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`a_tool_with_a_long_name_${i}`, {}]));
  const web = { tools, permissions: { egress: ['web.example:443'] } };
  const own = { tools: { read: { annotations: { openWorldHint: false } } }, permissions: { env: ['KEY'] } };

  it('say nothing of a single server', () => {
    expect(acrossLines(across(lockOf({ web })), { servers: 1, policy: false })).toEqual([]);
  });

  it('name tools by server, whole, and say who decides', () => {
    const lines = acrossLines(across(lockOf({ web, own })), { servers: 2, policy: false });
    const text = lines.join('\n').replace(/\s+/g, ' ');
    expect(text).toContain('web: a_tool_with_a_long_name_0, a_tool_with_a_long_name_1,');
    expect(text).toContain('a_tool_with_a_long_name_4 and 4 more Private own: read Sends out web: a_tool');
    expect(text).toContain(
      '(10 tools without a label by their hints): a policy stops it, see docs/policy.md',
    );
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(110);
    expect(acrossLines(across(lockOf({ web, own })), { servers: 2, policy: true }).join(' ')).toContain(
      'the policy of this lock',
    );
  });

  it('let no name paint on a terminal', () => {
    const evil = { tools: {}, permissions: { egress: ['\u001b[2J'] } };
    const [, , reach] = acrossLines(across(lockOf({ web, evil })), { servers: 2, policy: false });
    expect(reach).toContain('\\u{1b}[2J');
  });
});

const REACHES = { egress: ['*.example:443'] };
const NOWHERE = { egress: [] };

describe('labels', () => {
  it.each<[string, JsonObject, Pick<Permissions, 'egress'>, readonly string[]]>([
    [
      'fetch',
      { description: 'Fetches a web page and returns it as markdown.' },
      REACHES,
      ['reads-untrusted', 'sends-out'],
    ],
    ['read_file', { description: 'Read a file of the project.' }, NOWHERE, ['reads-private']],
    ['query', { description: 'Run a read-only SQL query.' }, NOWHERE, ['reads-private']],
    ['sendEmail', { description: 'Sends a message.' }, REACHES, ['sends-out']],
    ['list_issues', { description: 'List issues in a repository' }, REACHES, ['reads-untrusted']],
    ['add', { description: 'Adds two numbers.' }, REACHES, []],
    [
      'lookup',
      { description: 'x', annotations: { openWorldHint: true, readOnlyHint: true } },
      REACHES,
      ['reads-untrusted'],
    ],
    ['sendEmail', { description: 'Sends a message.' }, NOWHERE, []],
  ])('of %s are proposed by its words and by what it may reach', (name, tool, reach, expected) => {
    const [proposal] = proposeLabels(showing({ [name]: tool }), reach);
    expect(proposal?.labels).toEqual(expected);
    expect(Object.keys(proposal?.because ?? {})).toEqual(expected);
  });

  const judged = (tools: Tools, said: Permissions['labels']) => {
    const { permissions } = makeEntry();
    const facts = {
      surface: showing(tools),
      permissions: { ...permissions, ...(said ? { labels: said } : {}) },
    };
    return labels.run(facts as unknown as Facts);
  };

  it('that are missing are asked for, ready to be written down', async () => {
    const outcome = await judged(
      { read_file: { description: 'Read a file.' }, add: { description: 'Adds.' } },
      undefined,
    );
    expect(JSON.stringify(outcome)).toContain('{\\"read_file\\":[\\"reads-private\\"]}');
  });

  it('that say less than the words of the tool are doubted', async () => {
    expect(
      JSON.stringify(await judged({ read_file: { description: 'Read a file.' } }, { read_file: [] })),
    ).toContain('labelled as none of it');
    expect(
      await judged({ read_file: { description: 'Read a file.' } }, { read_file: ['reads-private'] }),
    ).toMatchObject({ outcome: 'ok' });
  });
});
