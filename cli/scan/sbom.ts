/** Bills of materials of what was scanned, as files: one file for one server, a folder for several. */
import { stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { ScanTarget } from '../../schemas/scan.ts';
import type { Context } from '../command.ts';
import type { Target } from './targets.ts';

export interface SbomPlace {
  readonly path: string;
  readonly folder: boolean;
}

/** Known before anything is scanned. Throws USAGE for several servers and one file. */
export async function sbomPlace(
  { cwd }: Pick<Context, 'cwd'>,
  word: string | undefined,
  wanted: readonly Target[],
): Promise<SbomPlace | null> {
  if (word === undefined) return null;
  const path = resolve(cwd, word);
  const found = await stat(path).catch(() => null);
  const folder = found?.isDirectory() ?? false;
  if (folder || wanted.length === 1) return { path, folder };
  throw new LockkeeperError('USAGE', {
    expected: '--sbom with a folder that is there, for more servers than one',
    found: `${quote(word, 200)} for ${wanted.length}`,
    next: 'Make the folder, or scan one server',
  });
}

/** Writes those that there are; returns how many. A server that could not be scanned has none. */
export async function writeSboms(
  { path, folder }: SbomPlace,
  targets: readonly ScanTarget[],
  blob: (digest: string) => Promise<Buffer>,
): Promise<number> {
  const taken = new Set<string>();
  let count = 0;
  for (const { report } of targets) {
    const digest = report?.evidence.sbom;
    if (!report || digest === undefined) continue;
    const file = folder
      ? join(path, nameFor(`${report.release.name}-${report.release.version}`, taken))
      : path;
    await writeFile(file, await blob(digest));
    count++;
  }
  return count;
}

function nameFor(name: string, taken: Set<string>): string {
  const plain = name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 150);
  let free = plain;
  for (let n = 2; taken.has(free); n++) free = `${plain}-${n}`;
  taken.add(free);
  return `${free}.cdx.json`;
}
