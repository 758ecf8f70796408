import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { placeInTree } from '../../runtime/store/wheel.ts';
import type { Finding } from '../../schemas/finding.ts';
import { excerpt, finding } from './check.ts';

/** At the top of site-packages Python runs these by itself, in every program, before its first line. */
const START_FILE = /^(?:[^/]+\.(?:pth|start)|(?:sitecustomize|usercustomize)(?:\.[^/]+|\/.+))$/;
const LEFT_OUT_MOST = 20;

/** Files of a wheel that would run unasked, and what of it is not laid out. Lockkeeper starts Python so that neither counts. */
export function startFilesIn(purl: string, files: readonly UnpackedFile[]): Omit<Finding, 'check'>[] {
  const findings: Omit<Finding, 'check'>[] = [];
  const out: UnpackedFile[] = [];
  for (const file of files) {
    const place = placeInTree(file.path)?.slice('site-packages/'.length);
    if (place === undefined) out.push(file);
    else if (START_FILE.test(place)) findings.push(startFile(purl, file));
  }
  if (out.length === 0) return findings;
  const message = `${purl} has ${out.length} files for other folders than site-packages; they are not laid out`;
  const evidence = out
    .slice(0, LEFT_OUT_MOST)
    .map(({ path }) => ({ kind: 'file', artifact: purl, path, line: 0, excerpt: '' }) as const);
  return [...findings, finding('low', message, evidence)];
}

/** A line that begins with import is run as code; other lines of a .pth file are folders. */
function startFile(purl: string, { path, bytes }: UnpackedFile): Omit<Finding, 'check'> {
  const text = bytes.toString('utf8');
  const lines = text.split('\n');
  const at = path.endsWith('.pth') ? lines.findIndex((line) => /^import[ \t]/.test(line)) : 0;
  const severity = at === -1 ? 'medium' : 'high';
  const what = at === -1 ? 'adds folders to' : 'runs code in';
  const evidence = {
    kind: 'file',
    artifact: purl,
    path,
    line: Math.max(at, 0) + 1,
    excerpt: excerpt(lines[Math.max(at, 0)] ?? ''),
  } as const;
  return finding(severity, `${purl} has ${path}, which ${what} every Python it is installed for; not here`, [
    evidence,
  ]);
}
