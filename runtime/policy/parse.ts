/** A policy's text, line by line: teams, directives, ready lines, and Cedar between fences. */

import { CALL_MINUTES } from '../../schemas/call.ts';
import { quote } from '../../schemas/errors.ts';
import { MAX_POLICY_BYTES } from '../../schemas/lock.ts';
import { readAskMinutes, readConditions } from './conditions.ts';
import { readFlows, type SaidOfFlows } from './flow-lines.ts';
import { readRate } from './rate-lines.ts';
import { type Ask, type Names, REMEMBERS, type Remembers, type Rule, type Who } from './rules.ts';
import { readSelection } from './selection.ts';
import { invalid, POLICY_FILE, Words, wordsOf } from './words.ts';
import type { Unlabelled } from './world.ts';

const TEAM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Words that say something else where a team's name would stand. */
const RESERVED = new Set(['everyone', 'anyone', 'user', 'team', 'times', 'toxic']);
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Surrogate}|[\u{e0000}-\u{e007f}]/u;

export interface Team {
  readonly members: ReadonlySet<string>;
  /** Whoever vouches for a person says whether they belong to it. */
  readonly asSignedIn: boolean;
}

/** Somebody may send out after reading, or once people let each call pass. */
export interface Exemption {
  readonly line: number;
  readonly who: readonly Who[];
  readonly ask: Ask | null;
}

export interface Parsed {
  readonly teams: ReadonlyMap<string, Team>;
  readonly rules: readonly Rule[];
  readonly exempt: readonly Exemption[];
  readonly cedar: readonly { readonly text: string; readonly line: number }[];
  readonly zone: string;
  readonly unlabelled: Unlabelled;
  readonly remembers: Remembers;
}

interface Reading {
  readonly names: Names;
  readonly teams: Map<string, Team>;
  readonly rules: Rule[];
  readonly exempt: Exemption[];
  readonly cedar: { text: string; line: number }[];
  zone: string | null;
  readonly flows: SaidOfFlows;
}

/** Throws POLICY_INVALID at the first line that is not understood. */
export function parsePolicy(text: string, names: Names): Parsed {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_POLICY_BYTES)
    throw invalid(1, `${POLICY_FILE} of at most ${MAX_POLICY_BYTES} bytes`, `${bytes} bytes`);
  const lines = text.split(/\r?\n/);
  const unseen = lines.findIndex((line) => UNSEEN.test(line));
  if (unseen !== -1)
    throw invalid(
      unseen + 1,
      'characters that can be seen',
      `${quote(UNSEEN.exec(lines[unseen] ?? '')?.[0] ?? '')}`,
    );
  const reading: Reading = {
    names,
    teams: new Map(),
    rules: [],
    exempt: [],
    cedar: [],
    zone: null,
    flows: {},
  };
  const rest = withoutFences(lines, reading.cedar);
  // Teams may be declared below the lines that name them.
  for (const { words, line } of rest)
    if (words[0]?.text === 'team' && !words[0].quoted) readTeam(new Words(words, line), reading);
  for (const { raw, words, line } of rest)
    if (words[0]?.text !== 'team' || words[0].quoted) readLine(raw, line, reading);
  const { teams, rules, exempt, cedar, zone, flows } = reading;
  const { unlabelled = 'annotations', by = REMEMBERS.by, ms = REMEMBERS.ms } = flows;
  const remembers = { by, ms };
  return { teams, rules, exempt, cedar, zone: zone ?? 'UTC', unlabelled, remembers };
}

interface Line {
  readonly raw: string;
  readonly line: number;
  readonly words: ReturnType<typeof wordsOf>;
}

function withoutFences(lines: readonly string[], cedar: Reading['cedar']): Line[] {
  const rest: Line[] = [];
  let open: { line: number; text: string[] } | null = null;
  for (const [index, whole] of lines.entries()) {
    const line = index + 1;
    const fence = whole.trim();
    if (open) {
      if (fence === '```') {
        cedar.push({ text: open.text.join('\n'), line: open.line + 1 });
        open = null;
      } else open.text.push(whole);
    } else if (fence === '```cedar') open = { line, text: [] };
    else if (fence.startsWith('```')) throw invalid(line, '```cedar', quote(fence));
    else {
      const raw = whole.replace(/(?:^|\s)#.*$/, '').trim();
      if (raw !== '') rest.push({ raw, line, words: wordsOf(raw, line) });
    }
  }
  if (open) throw invalid(open.line, '``` at the end of this Cedar', 'the end of the file');
  return rest;
}

/** `team interns = ada@example.com, bob` or `team devs = as signed in`. */
function readTeam(words: Words, { teams }: Reading): void {
  words.need('team');
  const name = words.name('the name of a team');
  if (!TEAM.test(name) || RESERVED.has(name))
    throw invalid(
      words.line,
      'a team’s name of letters, digits, dots and dashes that is no word of the language',
      quote(name),
    );
  if (teams.has(name)) throw invalid(words.line, 'each team once', `${quote(name)} again`);
  words.need('=');
  const members = new Set<string>();
  let asSignedIn = false;
  do {
    if (words.take('as', 'signed', 'in')) asSignedIn = true;
    else members.add(words.name('a person or "as signed in"'));
  } while (words.take(','));
  if (!words.done) throw words.expected('a comma between members');
  teams.set(name, { members, asSignedIn });
}

function readLine(raw: string, line: number, reading: Reading): void {
  // A colon inside of a word, as in note://here or 08:00, ends nothing.
  const match = /^((?:[^":]|"[^"]*"|:(?=\S))*):(?:\s+(.*))?$/s.exec(raw);
  if (!match) {
    if (readZone(new Words(wordsOf(raw, line), line), reading)) return;
    throw invalid(line, '"WHO: WHAT", such as "interns: no write tools"', quote(raw));
  }
  const [, who = '', what = ''] = match;
  if (/^toxic flows$/.test(who.trim())) return readFlows(new Words(wordsOf(what, line), line), reading.flows);
  const people = readWho(new Words(wordsOf(who, line), line), reading);
  readWhat(new Words(wordsOf(what, line), line), { raw, who: people, reading });
}

/** `times in Europe/Berlin`: where the days and hours of this policy are. */
function readZone(words: Words, reading: Reading): boolean {
  if (!words.take('times', 'in')) return false;
  const zone = words.name('a time zone such as Europe/Berlin');
  if (reading.zone !== null) throw invalid(words.line, 'one time zone', 'a second one');
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
  } catch {
    throw invalid(words.line, 'a time zone such as Europe/Berlin', quote(zone));
  }
  if (!words.done) throw words.expected('the end of the line');
  reading.zone = zone;
  return true;
}

function readWho(words: Words, { teams }: Reading): Who[] {
  const who: Who[] = [];
  do {
    if (words.take('user')) who.push({ kind: 'user', name: words.name('a person') });
    else if (words.take('everyone')) who.push({ kind: 'everyone' });
    else if (words.take('anyone')) who.push({ kind: 'anyone' });
    else {
      const name = words.name('a team, "user NAME", "everyone" or "anyone"');
      if (teams.has(name)) who.push({ kind: 'team', name });
      else if (name.includes('@')) who.push({ kind: 'user', name });
      else
        throw invalid(
          words.line,
          `a team of this policy (${[...teams.keys()].join(', ') || 'it has none'})`,
          `${quote(name)}; a team is declared by "team NAME = …", a person named by "user NAME"`,
        );
    }
  } while (words.take(',') || words.take('and'));
  if (!words.done) throw words.expected('":" after who is meant');
  return who;
}

function readWhat(words: Words, { raw, who, reading }: { raw: string; who: Who[]; reading: Reading }): void {
  const { line } = words;
  if (words.take('may', 'send', 'out', 'after', 'reading')) {
    if (!words.done) throw words.expected('the end of the line');
    reading.exempt.push({ line, who, ask: null });
    return;
  }
  const people = readAsk(words);
  if (people !== null && words.take('sending', 'out', 'after', 'reading')) {
    reading.exempt.push({ line, who, ask: { people, minutes: readAskMinutes(words) } });
    return;
  }
  const bounded = people === null ? readRate(words, reading.names) : null;
  if (bounded) {
    reading.rules.push({ line, text: raw, who, effect: 'forbid', ask: null, ...bounded });
    return;
  }
  const forbids = people !== null || words.take('no') || words.take('not');
  const selection = readSelection(words, reading.names);
  if (people !== null && (selection.kinds.length !== 1 || selection.kinds[0] !== 'tools'))
    throw invalid(line, '"tools" after "before": people are asked about calls of tools', quote(raw));
  const conditions = readConditions(words);
  if (conditions.minutes !== null && people === null)
    throw invalid(line, '"within N minutes" in a line that asks people', 'one that asks nobody');
  const ask: Ask | null = people === null ? null : { people, minutes: conditions.minutes ?? CALL_MINUTES };
  reading.rules.push({
    line,
    text: raw,
    who,
    effect: forbids ? 'forbid' : 'permit',
    ask,
    rate: null,
    selection,
    conditions,
  });
}

/** `ask one person before …`: they lift what is forbidden without them. */
function readAsk(words: Words): 1 | 2 | null {
  if (!words.take('ask')) return null;
  const people = words.take('one', 'person') ? 1 : words.take('two', 'people') ? 2 : null;
  if (people === null) throw words.expected('"one person" or "two people"');
  words.need('before');
  return people;
}
