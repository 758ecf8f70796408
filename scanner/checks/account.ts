import { type Check, finding, ok, unknown } from './check.ts';

const DAY_MS = 86_400_000;
const YOUNG_DAYS = 90;

/** Whoever begins an account to publish one package began it yesterday. Package registries do not tell; GitHub does. */
export const account: Check = {
  id: 'LK-MNT-03',
  title: 'The account behind its repository is not new',
  owasp: 'MCP04',
  about: 'package',
  run: ({ repository, now }) => {
    if (typeof repository === 'string') return unknown(repository);
    const owner = repository.found?.owner;
    if (owner === undefined) return unknown('its repository is not there: LK-REP-01');
    const made = Date.parse(owner.createdAt ?? '');
    if (Number.isNaN(made)) return unknown(`when ${owner.login} was made is not told`);
    const days = Math.floor((now.getTime() - made) / DAY_MS);
    if (days >= YOUNG_DAYS) return ok(`${owner.login}, ${days} days old`);
    const message = `${owner.login}, whose repository it is, was made ${days} days ago`;
    const evidence = [{ kind: 'fact', source: 'GitHub, account', value: owner.createdAt ?? '' }] as const;
    return { outcome: 'fired', findings: [finding('medium', message, evidence)] };
  },
};
