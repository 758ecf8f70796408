import { type Check, finding, ok, unknown } from './check.ts';

/** A new maintainer is how most packages change hands before they turn. */
export const maintainers: Check = {
  id: 'LK-MNT-01',
  title: 'Maintainers as at the last approval',
  owasp: 'MCP04',
  readsPackage: true,
  run: ({ upstream, baseline }) => {
    if (typeof upstream === 'string') return unknown(upstream);
    const now = upstream.maintainers;
    if (now === null) return unknown('the package registry does not tell the maintainers');
    if (baseline === null) return ok(`first release seen; maintainers are ${now.join(', ')}`);
    if (baseline.maintainers === null)
      return unknown(`the maintainers of ${baseline.version} were not known when it was approved`);
    const before = baseline.maintainers;
    const added = now.filter((name) => !before.includes(name));
    const removed = before.filter((name) => !now.includes(name));
    if (added.length === 0 && removed.length === 0) return ok(now.join(', '));
    const evidence = {
      kind: 'change' as const,
      at: '/maintainers',
      before: before.join(', '),
      after: now.join(', '),
    };
    return {
      outcome: 'fired',
      findings: [
        finding(
          'high',
          `maintainers changed: ${[...added.map((n) => `+${n}`), ...removed.map((n) => `-${n}`)].join(' ')}`,
          [evidence],
        ),
      ],
    };
  },
};
