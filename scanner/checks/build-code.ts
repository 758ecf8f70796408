import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import type { Built } from '../../schemas/built.ts';
import type { Evidence, Finding } from '../../schemas/finding.ts';
import type { CodeFacts, Use } from '../code/facts.ts';
import { excerpt, finding } from './check.ts';
import { place } from './packages.ts';

/** Files that a backend runs while it builds, where the source has them. */
const RUN_BY: readonly (readonly [RegExp, RegExp])[] = [
  [/^setuptools/, /^setup\.py$/],
  [/^hatchling/, /^hatch_build\.py$/],
  [/^pdm/, /^pdm_build\.py$/],
  [/^poetry/, /^build(?:_script)?\.py$/],
];
const GRAVE: ReadonlySet<Use['capability']> = new Set([
  'network',
  'programs',
  'native code',
  'files of the user',
]);
const SHOWN = 20;

/** Code of a source archive that ran while its wheel was built; in the sandbox alone, and without a network. */
export function buildCodeIn(
  { source, backend, inTree }: Built,
  files: readonly UnpackedFile[],
  { uses, hidden, unread }: Pick<CodeFacts, 'uses' | 'hidden' | 'unread'>,
): Omit<Finding, 'check'>[] {
  const ran = files.filter(({ path }) => isRun(path, backend, inTree));
  if (ran.length === 0) return [];
  const paths = new Set(ran.map(({ path }) => path));
  const grave = uses.filter(({ path, capability }) => paths.has(path) && GRAVE.has(capability));
  const reached = [...new Set(grave.map(({ capability }) => capability))].sort();
  const secret = hidden.filter((mark) => paths.has(mark.path));
  const does = [
    ...(reached.length > 0 ? [`reaches ${reached.join(', ')}`] : []),
    ...(secret.length > 0 ? ['hides what it does'] : []),
    ...(unread.some(({ path }) => paths.has(path)) ? ['could not be read'] : []),
  ];
  const names = [...paths].slice(0, 3).join(', ');
  const more = paths.size > 3 ? ` and ${paths.size - 3} more` : '';
  const evidence: Evidence[] = [
    ...backendLine(source.purl, inTree, files),
    ...ran.slice(0, SHOWN).map(({ path, bytes }) => firstLine(source.purl, path, bytes)),
    ...[...grave, ...secret].slice(0, SHOWN).map((use) => place(source.purl, use)),
  ];
  const what = does.length === 0 ? '' : `, which ${does.join(' and ')}`;
  const message = `${source.purl} runs its own code when it is built: ${names}${more}${what}`;
  return [finding(does.length > 0 ? 'high' : 'medium', message, evidence)];
}

function isRun(path: string, backend: string, inTree: readonly string[]): boolean {
  if (RUN_BY.some(([by, file]) => by.test(backend) && file.test(path))) return true;
  return (
    path.endsWith('.py') && inTree.some((folder) => isBelow(path, folder.replace(/^(?:\.\/)+|\/+$/g, '')))
  );
}

function isBelow(path: string, folder: string): boolean {
  return folder === '' || folder === '.' ? !path.includes('/') : path.startsWith(`${folder}/`);
}

function backendLine(purl: string, inTree: readonly string[], files: readonly UnpackedFile[]): Evidence[] {
  const lines =
    files
      .find(({ path }) => path === 'pyproject.toml')
      ?.bytes.toString('utf8')
      .split('\n') ?? [];
  const at = inTree.length === 0 ? -1 : lines.findIndex((line) => /^\s*backend-path\s*=/.test(line));
  if (at < 0) return [];
  return [place(purl, { path: 'pyproject.toml', line: at + 1, excerpt: excerpt(lines[at] ?? '') })];
}

function firstLine(purl: string, path: string, bytes: Buffer): Evidence {
  const lines = bytes.subarray(0, 4096).toString('utf8').split('\n');
  const at = Math.max(
    0,
    lines.findIndex((line) => line.trim() !== '' && !line.startsWith('#')),
  );
  return place(purl, { path, line: at + 1, excerpt: excerpt(lines[at] ?? '') });
}
