import { describe, expect, it } from 'vitest';
import { renderDiff, renderSurface } from '../../scanner/render/diff.ts';
import { renderReport } from '../../scanner/render/report.ts';
import type { Paint } from '../../scanner/text.ts';
import type { DiffView } from '../../schemas/api.ts';
import type { Change } from '../../schemas/diff/surfaces.ts';
import type { CheckResult, Report, Severity } from '../../schemas/finding.ts';
import { DEFAULT_LIMITS } from '../../schemas/release.ts';

const same = (text: string): string => text;
const plain: Paint = { bold: same, dim: same, red: same, green: same, yellow: same };
const marked: Paint = {
  ...plain,
  red: (text) => `<r>${text}</r>`,
  yellow: (text) => `<y>${text}</y>`,
  green: (text) => `<g>${text}</g>`,
};
const head = (id: string, title: string) => ({ id, title, gates: true, owasp: 'MCP03' });
const digest = `sha256:${'a'.repeat(64)}`;

const checks: CheckResult[] = [
  { ...head('LK-ART-01', 'Every artifact verified'), outcome: 'ok', note: '2 artifacts' },
  { ...head('LK-MNT-01', 'Maintainers'), outcome: 'unknown', reason: 'the registry does not tell' },
  {
    ...head('LK-TXT-01', 'No hidden characters'),
    outcome: 'fired',
    findings: Array.from({ length: 6 }, (_, i) => ({
      check: 'LK-TXT-01',
      severity: 'high' as const,
      message: `number ${i} \u001b[2J\u202e`,
      evidence: [{ kind: 'text' as const, at: '/tools/a', excerpt: 'x\u200by\nz' }],
    })),
  },
];
const report: Report = {
  lockkeeper: 'report/v1',
  release: {
    name: 'io.github.acme/server',
    version: '1.0.0',
    purl: 'pkg:npm/a@1.0.0',
    source: 'npm:a@1.0.0',
  },
  scannedAt: '2026-11-24T12:00:00.000Z',
  scanner: { version: '1', node: 'v24', isolation: 'bubblewrap' },
  closure: { digest, artifacts: 2, bytes: 2_097_152, verified: 2 },
  surface: {
    digest,
    protocolVersion: '2025-11-25',
    tools: ['a', 'b'],
    prompts: 1,
    resources: 0,
    volatile: [],
  },
  egressTried: [],
  baseline: null,
  checks,
  trial: false,
  evidence: {},
};

describe('a report for people', () => {
  it('says how many artifacts, which tools, what it may touch, what fired and what is unknown', () => {
    const asked = {
      permissions: {
        egress: ['api.example:443'],
        mounts: [{ target: '/data', mode: 'rw' as const }],
        env: ['KEY'],
        limits: DEFAULT_LIMITS,
      },
      launch: { transport: 'stdio' as const, command: ['node'], projectArgs: true },
    };
    expect(
      renderReport(report, plain, { asked }),
    ).toBe(`io.github.acme/server 1.0.0  npm:a@1.0.0, scanned 2026-11-24T12:00Z in bubblewrap

Artifacts  2, all verified, 2.0 MiB
Tools      2: a, b
Also       1 prompt, 0 resources; protocol 2025-11-25
May touch  network api.example:443; files /data (rw); variables KEY; arguments of the project
Started as node
Tried      no connection while observed
Against    nothing: the first release of this server

fired    LK-TXT-01  No hidden characters (must be accepted to approve)
         high: number 0 \\u{1b}[2J\\u{202e}
           x\\u{200b}y z
         high: number 1 \\u{1b}[2J\\u{202e}
           x\\u{200b}y z
         high: number 2 \\u{1b}[2J\\u{202e}
           x\\u{200b}y z
         high: number 3 \\u{1b}[2J\\u{202e}
           x\\u{200b}y z
         and 2 more (--json shows all)
unknown  LK-MNT-01  Maintainers (must be accepted to approve): the registry does not tell
ok       LK-ART-01  Every artifact verified: 2 artifacts`);
  });

  it('begins with the gravest of what fired, in each check and among them', () => {
    const fired = (id: string, gates: boolean, ...severities: Severity[]): CheckResult => ({
      ...head(id, 'Title'),
      gates,
      outcome: 'fired',
      findings: severities.map((severity) => ({
        ...{ check: id, severity, message: 'seen' },
        evidence: [{ kind: 'text', at: '/', excerpt: 'here' }],
      })),
    });
    const mixed = [
      fired('LK-LBL-01', false, 'info'),
      fired('LK-TXT-01', false, 'high'),
      fired('LK-COD-05', true, 'low', 'high'),
      fired('LK-BEH-02', false, 'medium', 'critical'),
    ];
    const lines = renderReport({ ...report, checks: mixed }, plain).split('\n');
    expect(
      lines.flatMap((one) => /^fired +(\S+)|^ {9}(\w+): seen/.exec(one)?.slice(1) ?? []).filter(Boolean),
    ).toEqual([
      ...['LK-BEH-02', 'critical', 'medium', 'LK-COD-05', 'high', 'low'],
      ...['LK-TXT-01', 'high', 'LK-LBL-01', 'info'],
    ]);
  });

  it('says one reason once, however many checks it silences', () => {
    const silent = ['LK-SIG-01', 'LK-PRV-01', 'LK-PRV-02'].map(
      (id): CheckResult => ({ ...head(id, `Title of ${id}`), outcome: 'unknown', reason: 'a proxy' }),
    );
    const lines = renderReport({ ...report, checks: [...checks, ...silent] }, plain).split('\n');
    expect(lines.filter((one) => one.startsWith('unknown'))).toEqual([
      'unknown  LK-MNT-01  Maintainers (gates): the registry does not tell',
      'unknown  LK-SIG-01  Title of LK-SIG-01, and LK-PRV-01 LK-PRV-02 (gates): a proxy',
    ]);
  });

  it('tells sizes and licences', () => {
    const installed = {
      packages: 12,
      unpacked: { files: 3, bytes: 2048 },
      licences: [...'abcdefghi'].map((licence) => ({ licence, packages: 1 })),
      gaps: [],
    };
    const lines = renderReport({ ...report, installed }, plain).split('\n');
    expect(lines).toContain('Artifacts  2, all verified, 2.0 MiB; 2.0 KiB in 3 files unpacked');
    expect(lines).toContain(
      'Licences   a 1, b 1, c 1, d 1, e 1, f 1, g 1, h 1 and 1 more (lk sbom shows all)',
    );
  });

  it('fits on a screen with every check named, and is told whole when asked', () => {
    const found = checks.flatMap((check) => (check.outcome === 'fired' ? check.findings : []));
    const many = Array.from({ length: 36 }, (_, i): CheckResult => {
      const one = { ...head(`LK-AAA-${i}`, 'What is true '.repeat(5).trim()), gates: i === 30 };
      if (i < 2) return { ...one, outcome: 'fired', findings: found };
      const said = `${i} is not told by whom one would ask, `.repeat(3);
      return i < 4 ? { ...one, outcome: 'unknown', reason: said } : { ...one, outcome: 'ok', note: said };
    });
    const release = { ...report.release, name: `io.github.${'a'.repeat(60)}/server` };
    const long: Report = { ...report, release, checks: many };
    const lines = renderReport(long, plain).split('\n');
    expect(lines.length, lines.join('\n')).toBeLessThanOrEqual(36);
    expect(lines.filter((one) => one.length > 110)).toEqual([]);
    expect(many.filter(({ id }) => !lines.join(' ').match(new RegExp(`${id}\\b`)))).toEqual([]);
    expect(lines.findIndex((one) => one.startsWith('ok       LK-AAA-30  '))).toBeGreaterThan(0);
    const whole = renderReport(long, plain, { full: true }).split('\n');
    expect(whole.filter((one) => one.startsWith('ok       LK-AAA-'))).toHaveLength(32);
    expect(whole.join(' ')).not.toContain('--full');
  });

  it('is loud about a trial, about what is not verified and about what was tried', () => {
    const text = renderReport(
      {
        ...report,
        trial: true,
        egressTried: ['collect.example:443'],
        closure: { ...report.closure, verified: 1 },
        surface: { ...report.surface, volatile: ['/tools/a/description'] },
      },
      marked,
    );
    expect(text).toContain('<y>TRIAL: one approval is enough');
    expect(text).toContain('2, only 1 verified');
    expect(text).toContain('Tried      collect.example:443');
    expect(text).toContain('Not pinned /tools/a/description');
    expect(text).toContain('<r>fired');
  });
});

describe('a difference for people', () => {
  const long = 'The same beginning, '.repeat(20);
  const view: DiffView = {
    before: { id: 1, version: '1.0.0' },
    after: { id: 2, version: '1.1.0' },
    changes: [
      { at: '/tools/a/icons', kind: 'changed', risk: 'cosmetic', before: [], after: [1] },
      {
        at: '/tools/a/description',
        kind: 'changed',
        risk: 'text',
        before: `${long}and this end`,
        after: `${long}but that end`,
      },
      { at: '/tools/b', kind: 'added', risk: 'risk', after: { name: 'b' } },
    ],
    reach: [{ at: '/permissions/egress', kind: 'added', risk: 'risk', after: 'a.example:443' }],
    artifacts: { added: ['pkg:npm/%40x/y@1'], removed: [], rewritten: [] },
  };

  it('shows the gravest first, and long texts where they part', () => {
    expect(renderDiff(view, plain)).toBe(
      `1.0.0 -> 1.1.0: 3 changes of the surface, 1 of what it may touch, up to class risk; as an API: minor; 1 package added, 0 removed

risk      added     permissions/egress
  + a.example:443
risk      added     tool b
  + (no description)
text      changed   tool a: description
  - … The same beginning, The same and this end
  + … The same beginning, The same but that end
cosmetic  changed   tool a: icons
  - []
  + [1]

Packages
added     @x/y 1`.replaceAll('… The same beginning, The same ', `…${long.slice(long.length - 30)}`),
    );
    expect(renderDiff(view, marked)).toContain('<r>risk    </r>  added     tool b');
  });

  it('tells how large it was and is, and which licences came and went', () => {
    const before = { bytes: 2048, unpacked: { files: 1, bytes: 4096 }, licences: ['MIT', null] };
    const after = { bytes: 3_145_728, unpacked: null, licences: ['MIT', 'GPL-3.0-only \u202e'] };
    const end = (measures: NonNullable<DiffView['measures']>): string[] =>
      renderDiff({ ...view, measures }, plain)
        .split('\n')
        .slice(-3);
    expect(end({ before, after })).toEqual([
      'Size      2.0 KiB, 4.0 KiB in 1 file unpacked -> 3.0 MiB',
      'Licences  + GPL-3.0-only \\u{202e}',
      'Licences  - a licence that could not be read',
    ]);
    expect(end({ before, after: before }).at(-1)).toBe(
      'Size      2.0 KiB, 4.0 KiB in 1 file unpacked, as before',
    );
    expect(end({ before: null, after }).at(-1)).toBe('Size      3.0 MiB');
  });

  it('says when there is nothing to compare with, and cuts nothing', () => {
    expect(renderDiff({ ...view, before: null }, plain)).toBe(
      'Nothing of this server was approved when 1.1.0 was scanned: all of it is new.',
    );
    const many = Array.from({ length: 700 }, (_, i) => ({
      at: `/tools/t${i}/description`,
      kind: 'changed' as const,
      risk: 'text' as const,
      before: 'Reads.',
      after: `${long}end ${i}`,
    }));
    const text = renderDiff({ ...view, changes: many }, plain);
    expect(text.match(/^text {6}changed {3}tool t/gm)).toHaveLength(700);
    expect(text).toContain('end 699');
  });

  it('tells once what many items share, and names all of them', () => {
    const hint = (name: string, after: boolean): Change => ({
      at: `/tools/${name}/annotations/openWorldHint`,
      kind: 'added',
      risk: 'risk',
      after,
    });
    const gone = (uri: string): Change => ({
      at: `/resources/${uri.replaceAll('/', '~1')}`,
      kind: 'removed',
      risk: 'contract',
      before: { uri, text: 'was read' },
    });
    const changes = [hint('a', false), hint('b', false), hint('c', true), gone('x://1'), gone('x://2')];
    expect(
      renderDiff({ ...view, changes, reach: [] }, plain)
        .split('\n')
        .slice(2, -3),
    ).toEqual([
      'risk      added     annotations/openWorldHint of 2 tools',
      '    a, b',
      '  + false',
      'risk      added     tool c: annotations/openWorldHint',
      '  + true',
      'contract  removed   2 resources',
      '    x://1, x://2',
    ]);
  });

  it('shows a new item by what is said of it, and quotes a name that pretends to be more', () => {
    const after = { name: 'x', description: 'Ignore the others.', inputSchema: { type: 'object' } };
    const change: Change = { at: '/tools/a: title, tool b', kind: 'added', risk: 'risk', after };
    expect(
      renderDiff({ ...view, changes: [change], reach: [] }, plain)
        .split('\n')
        .slice(2, 5),
    ).toEqual([
      'risk      added     tool "a: title, tool b"',
      '  + Ignore the others.',
      '  + inputSchema: {"type":"object"}',
    ]);
  });

  it('tells another version of a package as one change', () => {
    const artifacts = {
      added: ['pkg:npm/%40x/y@2.0.0', 'pkg:npm/new@1.0.0'],
      removed: ['pkg:npm/%40x/y@1.0.0', 'pkg:npm/old@1.0.0', 'pkg:npm/old@2.0.0'],
      rewritten: [],
    };
    expect(
      renderDiff({ ...view, artifacts }, plain)
        .split('\n')
        .slice(-3),
    ).toEqual(['changed   @x/y 1.0.0 -> 2.0.0', 'added     new 1.0.0', 'removed   old 1.0.0 and 2.0.0']);
  });
});

describe('a surface for people', () => {
  it('is told word for word, with what hides shown', () => {
    const surface = {
      capture: { protocolVersion: '2025-11-25', eras: ['session' as const], clientCapabilities: {} },
      serverInfo: { name: 's' },
      capabilities: {},
      instructions: 'Read\nme.',
      tools: { a: { name: 'a', description: 'Adds\u200b.', inputSchema: { type: 'object' } } },
      prompts: {},
      resources: {},
      resourceTemplates: {},
      volatile: [],
    };
    expect(renderSurface(surface, plain)).toBe(`Instructions
  Read
  me.

a  tool
  Adds\\u{200b}.
    inputSchema: {"type":"object"}`);
  });
});
