import { type Check, finding, firedOr, ok, unknown } from './check.ts';

type Found = ReturnType<typeof finding>;

/** A new maintainer is how most packages change hands before they turn; a new address of an old one is how others do. */
export const maintainers: Check = {
  id: 'LK-MNT-01',
  title: 'Maintainers as at the last approval',
  owasp: 'MCP04',
  about: 'package',
  run: ({ upstream, baseline }) => {
    if (typeof upstream === 'string') return unknown(upstream);
    const now = upstream.maintainers;
    if (now === null) return unknown('the package registry does not tell the maintainers');
    if (baseline === null) return ok(`first release seen; maintainers are ${now.join(', ')}`);
    if (baseline.maintainers === null)
      return unknown(`the maintainers of ${baseline.version} were not known when it was approved`);
    return firedOr(changesIn(baseline.maintainers, now), now.join(', '));
  },
};

function changesIn(before: readonly string[], now: readonly string[]): Found[] {
  const added = now.filter((name) => !before.includes(name));
  const removed = before.filter((name) => !now.includes(name));
  if (added.length === 0 && removed.length === 0) return [];
  const at = '/maintainers';
  const evidence = { kind: 'change', at, before: before.join(', '), after: now.join(', ') } as const;
  const words = [...added.map((n) => `+${n}`), ...removed.map((n) => `-${n}`)].join(' ');
  return [finding('high', `maintainers changed: ${words}`, [evidence]), ...moved(removed, added)];
}

/** `name <address>`, or the name alone. */
function partsOf(one: string): { readonly name: string; readonly domain: string | null } {
  const [, name = one, domain = null] = /^(.*?) <[^<>]*@([^<>@]+)>$/.exec(one) ?? [];
  return { name, domain: domain?.toLowerCase() ?? null };
}

/** The same account behind an address elsewhere: whoever has that address has the account. */
function moved(removed: readonly string[], added: readonly string[]): Found[] {
  return removed.flatMap((one) => {
    const was = partsOf(one);
    const is = added.map(partsOf).find(({ name }) => name === was.name);
    if (!is || was.domain === null || is.domain === null || is.domain === was.domain) return [];
    const evidence = {
      kind: 'change',
      at: `/maintainers/${was.name}`,
      before: was.domain,
      after: is.domain,
    } as const;
    return [
      finding('high', `the e-mail address of ${was.name} moved from ${was.domain} to ${is.domain}`, [
        evidence,
      ]),
    ];
  });
}
