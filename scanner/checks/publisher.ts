import type { Publisher } from '../../schemas/origin.ts';
import type { PublishedVersion, Upstream } from '../ports.ts';
import { type Check, finding, firedOr, unknown } from './check.ts';

type Found = ReturnType<typeof finding>;

const WORDS: Readonly<Record<Publisher['kind'], string>> = {
  person: 'a person',
  automation: "a machine's account",
  'trusted-publisher': 'a trusted workflow',
};

/** A version that comes another way than its predecessors came by a stolen token, or by new hands. */
export const publisher: Check = {
  id: 'LK-MNT-02',
  title: 'Published the way it was before',
  owasp: 'MCP04',
  about: 'package',
  run: ({ upstream, baseline, rootPurl }) => {
    if (typeof upstream === 'string') return unknown(upstream);
    const now = upstream.publisher;
    if (now === null) return unknown('the package registry does not tell who published it');
    const earlier = earlierIn(upstream, rootPurl);
    const before = baseline?.origin?.publisher ?? earlier.at(-1)?.publisher ?? null;
    const findings = [
      ...(before === null ? [] : otherWay(before, now)),
      ...firstTime(now, earlier),
      ...notAmong(now, upstream),
    ];
    return firedOr(findings, `${WORDS[now.kind]}, ${now.account}`);
  },
};

/** Those published before this one, in the order of their times. */
function earlierIn({ history, publishedAt }: Upstream, purl: string): PublishedVersion[] {
  const own = decodeURIComponent(purl.split('@').at(-1) ?? '');
  const known = (history ?? []).filter(({ version, publisher: by }) => version !== own && by !== null);
  return known
    .filter(({ at }) => publishedAt === null || at === null || at < publishedAt)
    .sort((a, b) => ((a.at ?? '') < (b.at ?? '') ? -1 : 1));
}

function otherWay(before: Publisher, now: Publisher): Found[] {
  if (before.kind !== now.kind) {
    const less = before.kind === 'trusted-publisher';
    const evidence = { kind: 'change', at: 'publisher', before: said(before), after: said(now) } as const;
    const message = `published by ${WORDS[now.kind]}; before it was ${WORDS[before.kind]}`;
    return [finding(less ? 'high' : 'low', message, [evidence])];
  }
  if (before.configuration === null || before.configuration === now.configuration) return [];
  const after = now.configuration ?? 'none';
  const evidence = { kind: 'change', at: 'trusted publisher', before: before.configuration, after } as const;
  return [finding('high', 'its trusted publisher was configured anew', [evidence])];
}

function said({ account, kind }: Publisher): string {
  return `${account} (${WORDS[kind]})`;
}

/** The account by its name: an e-mail address may change, which LK-MNT-01 tells. */
function accountOf({ account }: Publisher): string {
  return account.replace(/ <[^>]*>$/, '');
}

function firstTime(now: Publisher, earlier: readonly PublishedVersion[]): Found[] {
  if (earlier.length === 0) return [];
  if (earlier.some(({ publisher: by }) => by !== null && accountOf(by) === accountOf(now))) return [];
  const names = [...new Set(earlier.flatMap(({ publisher: by }) => (by === null ? [] : [accountOf(by)])))];
  const evidence = {
    kind: 'change',
    at: 'publisher',
    before: names.slice(-5).join(', '),
    after: now.account,
  } as const;
  return [finding('medium', `the first version that ${accountOf(now)} published`, [evidence])];
}

/** A trusted workflow is nobody's account. */
function notAmong(now: Publisher, { maintainers }: Upstream): Found[] {
  if (now.kind === 'trusted-publisher' || maintainers === null) return [];
  if (maintainers.some((one) => one.replace(/ <[^>]*>$/, '') === accountOf(now))) return [];
  const evidence = {
    kind: 'fact',
    source: 'package registry, maintainers',
    value: maintainers.join(', '),
  } as const;
  return [finding('medium', `${accountOf(now)}, who published it, is none of its maintainers`, [evidence])];
}
