import { isFolder } from '../../schemas/folders.ts';
import { isWheel } from '../../schemas/pypi.ts';
import type { Closure } from '../../schemas/release.ts';
import type { RemoteLaunch } from '../../schemas/remote.ts';
import { counted } from '../text.ts';
import { type Check, finding, firedOr } from './check.ts';
import { packagesIn } from './packages.ts';

/** Nothing of it can be verified, today or later: whoever approves has to say that they accept that. */
function elsewhere({ url }: RemoteLaunch): ReturnType<typeof finding> {
  const message =
    'its code runs elsewhere and may change at any time: install scripts, capabilities, age, maintainers and advisories were not looked at; its address, its TLS keys and its surface are pinned';
  return finding('high', message, [{ kind: 'fact', source: 'remote server', value: url }]);
}

/** Why other checks count fewer packages, where they do. */
function places({ artifacts }: Closure): string {
  const packages = packagesIn(artifacts);
  return packages === artifacts.length ? '' : ` of ${counted(packages, 'package')}`;
}

/** Fetching already refuses a wrong digest; this names what could be compared with nothing. */
export const integrity: Check = {
  id: 'LK-ART-01',
  title: 'Every artifact of the closure verified',
  owasp: 'MCP04',
  run: ({ closure, unpromised, baseline, remote, image }) => {
    if (remote) return { outcome: 'fired', findings: [elsewhere(remote)] };
    const findings = unpromised.map((purl) =>
      finding('critical', `${purl}: its registry promises no digest; it is pinned by the bytes that came`, [
        { kind: 'fact', source: 'package registry, dist.integrity', value: 'absent' },
      ]),
    );
    const known = new Map(baseline?.closure.artifacts.map((one) => [one.purl, one]));
    for (const { purl, sha256, built } of closure.artifacts) {
      const last = known.get(purl);
      const before = last?.sha256;
      if (before === undefined || before === sha256) continue;
      // LK-ART-03 compares what was built from the same source.
      if (built && built.source.sha256 === last?.built?.source.sha256) continue;
      const evidence = { kind: 'change', at: purl, before, after: sha256 } as const;
      findings.push(
        finding('critical', `${purl} has other bytes than in ${baseline?.version}: a version never changes`, [
          evidence,
        ]),
      );
    }
    return firedOr(
      findings,
      `${counted(closure.artifacts.length, 'artifact')}${places(closure)}, all verified by ${image || closure.artifacts.some((one) => isWheel(one) || isFolder(one)) ? 'sha256' : 'sha512'}`,
    );
  },
};
