import type { Finding } from '../../schemas/finding.ts';
import type { ImageFacts } from '../oci/source.ts';
import { type Check, finding, unknown } from './check.ts';

/** Whoever approves has to say that they accept what is in it: its bytes are pinned, and nobody here has read them. */
export const image: Check = {
  id: 'LK-IMG-01',
  title: 'What an image holds and asks for',
  owasp: 'MCP04',
  about: 'image',
  run: ({ image: facts, closure }) => {
    if (facts === null) return unknown('it is no image');
    const { layers, platform } = facts.report;
    const unread = finding('medium', unreadSentence(facts), [
      { kind: 'fact', source: `${layers} layers for ${platform}`, value: closure.digest },
    ]);
    return { outcome: 'fired', findings: [unread, ...gapsIn(facts), ...findingsIn(facts)] };
  },
};

/** What was read of it is said as well as what was not. */
function unreadSentence({ report, installed: { packages } }: ImageFacts): string {
  const pinned = 'its bytes and its surface are pinned';
  if (packages.length === 0)
    return `no package was found in its ${report.files} files, so what is installed was not looked at: licences, advisories, install scripts, capabilities, age and maintainers; ${pinned}`;
  const kinds = [...Map.groupBy(packages, ({ ecosystem }) => ecosystem)]
    .map(([name, list]) => `${list.length} ${name}`)
    .sort();
  return `its packages were listed (${kinds.join(', ')}) for licences and advisories; what its ${report.files} files do was not looked at: install scripts, capabilities, age, maintainers, and whatever no package manager knows of; ${pinned}`;
}

function gapsIn({ installed: { gaps } }: ImageFacts): Omit<Finding, 'check'>[] {
  return gaps.map((gap) => finding('medium', gap, [{ kind: 'fact', source: 'image', value: gap }]));
}

function findingsIn({ report, notes }: ImageFacts): Omit<Finding, 'check'>[] {
  const facts = (source: string, values: readonly string[]) =>
    values
      .slice(0, 50)
      .map((value) => ({ kind: 'fact', source, value: value === '' ? 'root' : value }) as const);
  const rows: readonly [readonly string[], Finding['severity'], string, string][] = [
    [
      notes.setuid,
      'low',
      'has programs that would run as another user; the bit is taken from them',
      'set-user bit',
    ],
    [
      notes.capable,
      'low',
      'has programs with capabilities of their own; they are taken from them',
      'capability',
    ],
    [notes.devices, 'low', 'has devices; they are left out', 'device'],
    [report.ports, 'info', 'says that it listens; nobody can connect to it', 'ExposedPorts'],
    [
      report.volumes,
      'info',
      'wants folders to write to; they are read-only unless they are permitted as mounts',
      'Volumes',
    ],
    [report.healthcheck ? ['Healthcheck'] : [], 'info', 'has a health check, which is not run', 'config'],
  ];
  const found = rows
    .filter(([values]) => values.length > 0)
    .map(([values, severity, what, source]) => finding(severity, `the image ${what}`, facts(source, values)));
  const root = /^(?:|root|0)(?::.*)?$/.test(report.user);
  if (!root) return found;
  const evidence = facts('User', [report.user]);
  return [...found, finding('info', 'the image wants to run as root; it runs as user 65534', evidence)];
}
