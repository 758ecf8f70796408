import { type Check, finding, firedOr } from './check.ts';

/** Fetching already refuses a wrong digest; this says so in the report, and names what could not be judged by sha512. */
export const integrity: Check = {
  id: 'LK-ART-01',
  title: 'Every artifact of the closure verified',
  owasp: 'MCP04',
  run: ({ closure }) => {
    const bare = closure.artifacts.filter((artifact) => artifact.sha512 === '');
    return firedOr(
      bare.map((artifact) =>
        finding('critical', `${artifact.purl} has no sha512`, [
          { kind: 'fact', source: 'closure', value: artifact.location },
        ]),
      ),
      `${closure.artifacts.length} artifacts, all verified by sha512`,
    );
  },
};
