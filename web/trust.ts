/** What everything rests on: the root and its holders, the log and its witnesses. Shown as the registry tells it. */
import type { TrustView } from '../schemas/keys.ts';
import type { LogView } from '../schemas/log.ts';
import type { RoleName, Root } from '../schemas/root.ts';
import type { TrustFilesView } from '../schemas/trust-files.ts';
import { ask } from './api.ts';
import { type Child, card, day, el, facts, short, soft, table, tag } from './dom.ts';
import { trustFiles } from './trusted.ts';

const ROLES: readonly (readonly [RoleName, string])[] = [
  ['root', 'Make the next root'],
  ['approver', 'Approve releases'],
  ['revoker', 'Revoke releases'],
  ['lock', 'Sign locks'],
  ['scanner', 'Sign scans'],
];
/** What a registry that keeps its root key itself is called in its root. */
const SELF = 'lockkeeper';
const DAY_MS = 86_400_000;
const SOON_DAYS = 60;

export async function trust(): Promise<HTMLElement> {
  const [view, log, files] = await Promise.all([
    ask<TrustView>('/v1/trust'),
    ask<LogView>('/v1/log'),
    ask<TrustFilesView>('/v1/trust/files'),
  ]);
  const root = rootIn(view);
  return el(
    'div',
    {},
    el('h1', {}, 'Trust'),
    card(`Root version ${root.version}`, holders(root), dates(root)),
    card(
      'Who may what',
      table(
        ['May', 'Persons needed', 'Persons and keys'],
        ROLES.map((role) => roleRow(role, root)),
      ),
    ),
    trustFiles(files),
    card('Transparency log', ...logParts(log, root)),
    soft(
      'As the registry tells it. Each lock is verified against it by lk ci and lk run; the log by lk log verify.',
    ),
  );
}

/** As the registry tells it: nothing is verified in a browser. */
export function rootIn({ root }: TrustView): Root {
  const bytes = Uint8Array.from(atob(root.payload), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes)) as Root;
}

function personsOf(root: Root, role: RoleName): Map<string, string[]> {
  const persons = new Map<string, string[]>();
  for (const keyid of root.roles[role].keyids) {
    const person = root.keys.find((key) => key.keyid === keyid)?.person ?? 'nobody';
    persons.set(person, [...(persons.get(person) ?? []), keyid]);
  }
  return persons;
}

function holders(root: Root): HTMLElement {
  const persons = [...personsOf(root, 'root').keys()].sort();
  if (persons.includes(SELF)) {
    return el(
      'p',
      { role: 'status' },
      tag('in_review', 'kept by the registry'),
      ' Whoever administers this registry can name reviewers, and be all of them. Give the root to its holders: ',
      el('code', {}, 'lk keys root init'),
    );
  }
  return el(
    'p',
    {},
    tag('approved', 'kept offline'),
    ` ${root.roles.root.threshold} of ${persons.join(', ')} have to sign the next one.`,
  );
}

function dates({ issuedAt, expires, lifetimes, trial }: Root): HTMLElement {
  const left = Math.floor((Date.parse(expires) - Date.now()) / DAY_MS);
  const until = `${day(expires)} UTC, in ${left} days`;
  return facts([
    ['Signed', `${day(issuedAt)} UTC`],
    ['Valid until', left < SOON_DAYS ? el('span', {}, tag('in_review', 'soon'), ` ${until}`) : until],
    ['A lock lives for', `at most ${lifetimes.lockHours} hours`],
    ['An approval lives for', `at most ${lifetimes.approvalDays} days`],
    ['Trial', trial ? 'yes: one approval is enough' : 'no'],
  ]);
}

function roleRow([role, may]: readonly [RoleName, string], root: Root): Child[] {
  const persons = [...personsOf(root, role)].sort(([a], [b]) => (a < b ? -1 : 1));
  const { threshold } = root.roles[role];
  const few = persons.length < threshold;
  return [
    may,
    few
      ? el('span', {}, String(threshold), ' ', tag('rejected', `only ${persons.length}`))
      : String(threshold),
    persons.length === 0
      ? 'nobody yet'
      : el(
          'div',
          {},
          ...persons.map(([person, keyids]) =>
            el('div', {}, `${person} `, el('code', {}, keyids.map(short).join(' '))),
          ),
        ),
  ];
}

function logParts({ checkpoint }: LogView, root: Root): Child[] {
  const [origin = '', size = '', hash = ''] = checkpoint.split('\n');
  const seen = cosigners(checkpoint);
  const { witnesses, threshold } = root.log;
  const rows = witnesses.map((key): Child[] => {
    const name = key.replace(/\+[0-9a-f]{8}\+[^+]*$/, '').split('+')[0] ?? key;
    const at = seen.get(name);
    return [
      name,
      at === undefined ? tag('in_review', 'not this one') : tag('approved', 'cosigned'),
      at === undefined ? '-' : `${day(new Date(at * 1000).toISOString())} UTC`,
    ];
  });
  return [
    facts([
      ['Name', origin],
      ['Entries', size],
      ['Root hash', el('code', {}, hash)],
      ['Witnesses needed', witnesses.length === 0 ? 'none' : `${threshold} of ${witnesses.length}`],
    ]),
    rows.length > 0
      ? table(['Witness', 'Newest checkpoint', 'When'], rows)
      : soft(
          'No witness watches this log: whoever owns the database can rewrite it for those who come new. See docs/witness.md.',
        ),
  ];
}

/** Names below a checkpoint whose line carries a time (C2SP tlog-cosignature): when, in seconds since the epoch. */
function cosigners(note: string): Map<string, number> {
  const seen = new Map<string, number>();
  for (const [, name = '', base64 = ''] of note.matchAll(/^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/gm)) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    if (bytes.length === 76) seen.set(name, Number(new DataView(bytes.buffer).getBigUint64(4)));
  }
  return seen;
}
