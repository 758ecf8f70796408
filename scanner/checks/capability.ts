import type { Artifact } from '../../schemas/release.ts';
import { type Check, type Facts, finding, firedOr, ok } from './check.ts';
import { isSource, type Use, usesIn } from './source.ts';

/**
 * What the code can newly reach since the last approved release: network, processes, variables, code made at run time.
 * Only packages whose bytes changed are read.
 */
export const capability: Check = {
  id: 'LK-CAP-01',
  title: 'No new reach since the last approval',
  owasp: 'MCP04',
  run: async (facts) => {
    const { baseline, closure, rootPurl } = facts;
    if (baseline === null) {
      const uses = await usesOf([rootPurl], facts);
      const kinds = [...new Set(uses.map((use) => `${use.capability}: ${use.what}`))].sort();
      return ok(
        `first release; its own code uses ${kinds.slice(0, 20).join(', ') || 'none of network, processes, variables'}`,
      );
    }
    const before = new Map(baseline.closure.artifacts.map((artifact) => [artifact.purl, artifact.sha256]));
    const after = new Map(closure.artifacts.map((artifact) => [artifact.purl, artifact.sha256]));
    const changed = changedIn(closure.artifacts, before);
    const gone = changedIn(baseline.closure.artifacts, after);
    const known = new Set((await usesOf(gone, facts)).map((use) => keyOf(use)));
    const fresh = (await usesOf(changed, facts)).filter((use) => !known.has(keyOf(use)));
    const first = new Map<string, Use & { purl: string }>();
    for (const use of fresh) if (!first.has(keyOf(use))) first.set(keyOf(use), use);
    const findings = [...first.values()].map((use) =>
      finding(
        use.purl === rootPurl ? 'high' : 'medium',
        `${nameOf(use.purl)} newly uses ${use.capability}: ${use.what}`,
        [{ kind: 'file', artifact: use.purl, path: use.path, line: use.line, excerpt: use.excerpt }],
      ),
    );
    return firedOr(findings.slice(0, 100), `${changed.length} changed packages reach nothing new`);
  },
};

function changedIn(artifacts: readonly Artifact[], other: ReadonlyMap<string, string>): string[] {
  return [
    ...new Set(
      artifacts
        .filter((artifact) => other.get(artifact.purl) !== artifact.sha256)
        .map((artifact) => artifact.purl),
    ),
  ];
}

function nameOf(purl: string): string {
  return purl
    .replace(/^pkg:npm\//, '')
    .replace('%40', '@')
    .replace(/@[^@]*$/, '');
}

function keyOf(use: Use & { purl: string }): string {
  return `${nameOf(use.purl)} ${use.capability} ${use.what}`;
}

async function usesOf(purls: readonly string[], facts: Facts): Promise<(Use & { purl: string })[]> {
  const uses = [];
  for (const purl of purls) {
    for (const file of await facts.files(purl)) {
      if (file.path.endsWith('.node'))
        uses.push({
          purl,
          capability: 'native code' as const,
          what: file.path,
          path: file.path,
          line: 0,
          excerpt: '',
        });
      if (isSource(file.path, file.bytes.length))
        uses.push(...usesIn(file.path, file.bytes.toString('utf8')).map((use) => ({ purl, ...use })));
    }
  }
  return uses;
}
