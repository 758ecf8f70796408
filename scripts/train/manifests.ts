/** Tools of real servers whose manifests stand in this repository: honest ones, of more kinds. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ToolRecord } from '../../bench/quality/records.ts';

interface Manifest {
  readonly package: string;
  readonly tools: readonly ToolRecord['tool'][];
}

/** Each definition once, in the order of the files. */
export function toolsOfManifests(dir: string): ToolRecord[] {
  const seen = new Set<string>();
  const files = globSync('npm__*.json', { cwd: dir }).sort();
  return files.flatMap((file) => {
    const manifest = JSON.parse(readFileSync(join(dir, file), 'utf8')) as Manifest;
    return manifest.tools.flatMap((tool) => {
      const key = `${manifest.package} ${JSON.stringify(tool)}`;
      if (seen.has(key)) return [];
      seen.add(key);
      const head = { id: key.slice(0, 80), source: 'benign-manifests', malicious: false, scope: 'none' };
      return [{ ...head, attackClass: 'none', server: manifest.package, version: file, tool, peers: [] }];
    });
  });
}
