import type { CodeFacts, Use } from '../code/facts.ts';
import { counted } from '../text.ts';
import { type Check, finding, firedOr, ok } from './check.ts';
import { nameOf, place } from './packages.ts';

/** A package of so little code that starts another program has its behaviour there. */
const SMALL_BYTES = 32 * 1024;

/**
 * A server whose tools run elsewhere is pinned by nothing in its package: it is to be locked as a remote server. Honest vendors
 * publish such packages, so that a first release is a warning; an update that becomes one gates.
 */
export const thinClient: Check = {
  id: 'LK-COD-04',
  title: 'What the server does is in its package',
  owasp: 'MCP04',
  about: 'package',
  gatesNewOnly: true,
  readsCode: true,
  run: async (facts) => {
    const { rootPurl, baseline } = facts;
    const now = await facts.code(rootPurl);
    const thin = thinIn(now);
    if (thin.length === 0) return ok(`${registered(now.tools.length)}, and nothing in it forwards elsewhere`);
    const before = baseline?.closure.artifacts.find(({ purl }) => nameOf(purl) === nameOf(rootPurl));
    const was = before ? thinIn(await facts.code(before.purl)) : null;
    if (was !== null && was.length > 0)
      return ok('it forwards to another place, as the last approved release did');
    const hosts = now.uses.filter(({ capability, what }) => capability === 'network' && what.includes('.'));
    const where =
      hosts.length > 0
        ? `; hosts it names: ${[...new Set(hosts.map(({ what }) => what))].slice(0, 5).join(', ')}`
        : '';
    const verb = was === null ? 'forwards' : 'newly forwards';
    const message = `the package registers no tool and ${verb} to another place, which no digest here pins${where}`;
    const evidence = [...thin, ...hosts].map((use) => place(rootPurl, use));
    return firedOr([finding(baseline === null ? 'medium' : 'high', message, evidence)], '');
  },
};

function registered(tools: number): string {
  return tools === 0
    ? 'where it registers tools was not found'
    : `its package registers ${counted(tools, 'tool')}`;
}

/** Where a package without tools of its own speaks to another server, or starts one that is not among its files. */
function thinIn({ tools, uses, bytes }: CodeFacts): readonly Use[] {
  if (tools.length > 0) return [];
  const remote = uses.filter(({ capability }) => capability === 'remote server');
  if (remote.length > 0) return remote;
  return bytes <= SMALL_BYTES ? uses.filter(({ capability }) => capability === 'programs') : [];
}
