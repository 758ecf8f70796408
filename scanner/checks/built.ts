import { createHash } from 'node:crypto';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import type { Built } from '../../schemas/built.ts';
import type { Finding } from '../../schemas/finding.ts';
import { SDIST_FOLDER } from '../../schemas/pypi.ts';
import type { Artifact } from '../../schemas/release.ts';
import { type Check, finding, firedOr } from './check.ts';
import { nameOf, place } from './packages.ts';

const SHOWN = 20;

/** A wheel that was built here is no index's word: it is compared with its source, with a second build, and with the last approved. */
export const builtWheels: Check = {
  id: 'LK-ART-03',
  title: 'Wheels built here are what their source archives hold',
  owasp: 'MCP04',
  about: 'built wheel',
  run: async ({ closure, files, baseline }) => {
    const before = new Map(baseline?.closure.artifacts.map((one) => [one.purl, one]));
    const findings: Omit<Finding, 'check'>[] = [];
    const names: string[] = [];
    for (const artifact of closure.artifacts) {
      const { built, purl } = artifact;
      if (!built) continue;
      names.push(`${nameOf(purl)} from ${built.source.location.slice(SDIST_FOLDER.length)}`);
      if (!built.reproducible) findings.push(unlike(purl, built));
      const source = await files(built.source.purl);
      findings.push(...madeUp(purl, await files(purl), source));
      findings.push(...anew(artifact, before.get(purl), baseline?.version ?? ''));
    }
    const note = `built in a sandbox, each twice with the same bytes: ${names.slice(0, 3).join(', ')}`;
    return firedOr(findings, names.length > 3 ? `${note} and ${names.length - 3} more` : note);
  },
};

function unlike(purl: string, { source, requires }: Built): Omit<Finding, 'check'> {
  return finding('medium', `${purl} is another wheel each time it is built; one of them is pinned`, [
    { kind: 'fact', source: source.purl, value: source.sha256 },
    ...requires.map((one) => ({ kind: 'fact', source: one.purl, value: one.sha256 }) as const),
  ]);
}

/** What is in no file of the source was written by the build; metadata always is. */
function madeUp(
  purl: string,
  wheel: readonly UnpackedFile[],
  source: readonly UnpackedFile[],
): Omit<Finding, 'check'>[] {
  const known = new Set(source.map(({ bytes }) => digestOf(bytes)));
  const made = wheel.filter(
    ({ path, bytes }) => !/^[^/]+\.dist-info\//.test(path) && bytes.length > 0 && !known.has(digestOf(bytes)),
  );
  if (made.length === 0) return [];
  const names = made.slice(0, 3).map(({ path }) => path);
  const more = made.length > 3 ? ` and ${made.length - 3} more` : '';
  const evidence = made.slice(0, SHOWN).map(({ path }) => place(purl, { path, line: 0, excerpt: '' }));
  return [
    finding(
      'medium',
      `${purl} has files that its source archive has not: ${names.join(', ')}${more}`,
      evidence,
    ),
  ];
}

function anew(now: Artifact, before: Artifact | undefined, version: string): Omit<Finding, 'check'>[] {
  if (before === undefined || before.sha256 === now.sha256) return [];
  if (before.built?.source.sha256 !== now.built?.source.sha256) return [];
  const evidence = {
    kind: 'change',
    at: now.purl,
    before: before.sha256,
    after: now.sha256,
  } as const;
  const message = `${now.purl} was built anew from the same source, and has other bytes than in ${version}`;
  return [finding('medium', message, [evidence])];
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
