import { type Check, finding, firedOr } from './check.ts';

/** Fetching already refuses a wrong digest; this names what could be compared with nothing. */
export const integrity: Check = {
  id: 'LK-ART-01',
  title: 'Every artifact of the closure verified',
  owasp: 'MCP04',
  run: ({ closure, unpromised }) => {
    const findings = unpromised.map((purl) =>
      finding('critical', `${purl}: its registry promises no digest; it is pinned by the bytes that came`, [
        { kind: 'fact', source: 'package registry, dist.integrity', value: 'absent' },
      ]),
    );
    return firedOr(findings, `${closure.artifacts.length} artifacts, all verified by sha512`);
  },
};
