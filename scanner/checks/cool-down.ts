import { type Check, finding, ok, unknown } from './check.ts';

const DAY_MS = 86_400_000;

/** Most poisoned versions are found within days: a version has to have been public for a while. */
export const coolDown: Check = {
  id: 'LK-REL-01',
  title: 'Published long enough ago',
  owasp: 'MCP04',
  about: 'package',
  readsPolicy: true,
  run: ({ upstream, policy, now }) => {
    if (typeof upstream === 'string') return unknown(upstream);
    if (upstream.publishedAt === null)
      return unknown('the package registry does not tell when it was published');
    const days = (now.getTime() - Date.parse(upstream.publishedAt)) / DAY_MS;
    const { coolDownDays } = policy.scan;
    if (days >= coolDownDays) return ok(`published ${Math.floor(days)} days ago by the registry's own date`);
    const message = `published ${days.toFixed(1)} days ago; the policy waits ${coolDownDays}`;
    return {
      outcome: 'fired',
      findings: [
        finding('medium', message, [
          { kind: 'fact', source: 'package registry, time', value: upstream.publishedAt },
        ]),
      ],
    };
  },
};
