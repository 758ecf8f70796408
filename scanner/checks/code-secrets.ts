import { type Check, finding, firedOr, gravest } from './check.ts';
import { freshIn, moved } from './fresh.ts';
import { place } from './packages.ts';

/** Keys that were published with the code: whoever has the package has them. The text of a key is not repeated. */
export const codeSecrets: Check = {
  id: 'LK-COD-02',
  title: 'No secrets in the package',
  owasp: 'MCP01',
  about: 'package',
  readsCode: true,
  run: async (facts) => {
    const fresh = await freshIn(
      facts,
      ({ secrets }) => secrets,
      ({ kind, path, excerpt }) => [`${kind} ${path} ${excerpt}`, ...moved(`${kind} ${excerpt}`, excerpt)],
    );
    const findings = fresh.flatMap(({ purl, name, items }) =>
      [...Map.groupBy(items, ({ kind }) => kind)].map(([kind, places]) =>
        finding(
          places.some(({ grave }) => grave) ? 'high' : 'low',
          `${name} contains a ${kind}`,
          places.map((mark) => place(purl, mark)),
        ),
      ),
    );
    return firedOr(gravest(findings), `none of the known shapes is new in ${fresh.length} packages`);
  },
};
