import { RANK_WORDS } from '../provenance/standing.ts';
import { type Check, finding, ok, unknown } from './check.ts';

/** The registry vouches for name, version and bytes together: a mirror that changes one of them cannot. */
export const registrySignature: Check = {
  id: 'LK-SIG-01',
  title: 'Signed by the package registry',
  owasp: 'MCP04',
  about: 'package',
  gatesFiredOnly: true,
  readsAttested: true,
  run: ({ attested, upstream }) => {
    if (typeof attested === 'string') return unknown(attested);
    const { signature } = attested;
    if (signature.state === 'unknown') return unknown(signature.reason);
    if (signature.state === 'held') return ok(`by the key ${signature.value.keyids.join(', ')}`);
    const signed = typeof upstream !== 'string' && upstream.history?.some((one) => one.signed) === true;
    if (signature.state === 'absent' && !signed) return unknown(signature.note);
    const told = signature.state === 'broken' ? signature.message : signature.note;
    const message =
      signature.state === 'broken'
        ? `${RANK_WORDS['registry-signature']} does not hold: ${told}`
        : `the registry signed other versions and not this one`;
    const source = 'package registry, dist.signatures';
    const evidence = [{ kind: 'fact', source, value: told.slice(0, 500) }] as const;
    return { outcome: 'fired', findings: [finding('critical', message, evidence)] };
  },
};
