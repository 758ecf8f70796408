import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = dirname(import.meta.dirname);
const FOLDERS = ['schemas', 'runtime', 'scanner', 'registry', 'cli', 'bench', 'web'] as const;
type Folder = (typeof FOLDERS)[number];

/** schemas <- runtime <- scanner <- registry; the command line reaches the registry over HTTP, but for `lk serve`. */
const MAY_IMPORT: Readonly<Record<Folder, readonly string[]>> = {
  schemas: ['schemas'],
  runtime: ['schemas', 'runtime'],
  scanner: ['schemas', 'runtime', 'scanner'],
  registry: ['schemas', 'runtime', 'scanner', 'registry'],
  cli: ['schemas', 'runtime', 'scanner', 'cli'],
  bench: ['schemas', 'runtime', 'scanner', 'registry', 'cli', 'bench', 'test'],
  web: ['schemas', 'web'],
};
const EXCEPTIONS = new Set([
  'cli/commands/serve.ts -> registry',
  // both serve the page; its scripts run in a browser
  'cli/dashboard.ts -> web',
  'registry/routes/dashboard.ts -> web',
]);
const WORLD = /^node:(fs|net|http|https|child_process|dgram|dns|tls|os|worker_threads)/;

interface Source {
  readonly file: string;
  readonly folder: Folder;
  readonly text: string;
  readonly imports: readonly string[];
}

function read(file: string): Source {
  const text = readFileSync(join(root, file), 'utf8');
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
  return { file, folder: file.split('/')[0] as Folder, text, imports };
}

const sources = globSync(`{${FOLDERS.join(',')}}/**/*.ts`, { cwd: root }).map(read);

describe('the architecture', () => {
  it('has sources to look at', () => {
    expect(sources.length).toBeGreaterThan(50);
  });

  it('keeps the import law', () => {
    const broken = sources.flatMap(({ file, folder, imports }) =>
      imports
        .filter((path) => path.startsWith('.'))
        .map((path) => relative(root, resolve(root, dirname(file), path)).split('/')[0] ?? '')
        .filter((target) => !MAY_IMPORT[folder].includes(target) && !EXCEPTIONS.has(`${file} -> ${target}`))
        .map((target) => `${file} -> ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('gives the page types of schemas and nothing else', () => {
    const broken = sources.filter(
      ({ folder, text }) => folder === 'web' && /import (?!type )[^;]*'\.\.\//.test(text),
    );
    expect(broken.map((source) => source.file)).toEqual([]);
  });

  it('keeps schemas free of the world', () => {
    const broken = sources.filter(
      (source) => source.folder === 'schemas' && source.imports.some((path) => WORLD.test(path)),
    );
    expect(broken.map((source) => source.file)).toEqual([]);
  });

  it('reads the environment only in config.ts and hands it over only in main.ts', () => {
    const broken = sources
      .filter(({ folder, file }) => folder !== 'bench' && !/(^|\/)(config|main)\.ts$/.test(file))
      .filter(({ text }) => /process\.env\b/.test(text));
    expect(broken.map((source) => source.file)).toEqual([]);
  });

  it('loads what most runs never use where it is used, so that an idle runtime does not hold it', () => {
    const heavy =
      /^import (?!type )[^;]*? from '(?:typebox|node:https?|node:http2|undici|tar|@sigstore\/[a-z-]+|@cedar-policy\/[a-z/-]+)'/m;
    // Of bundles and evidence, which no runtime reads.
    const apart = new Set(['runtime/store/archive.ts']);
    const broken = sources.filter(
      ({ file, folder, text }) =>
        (folder === 'schemas' || folder === 'runtime') && !apart.has(file) && heavy.test(text),
    );
    expect(broken.map((source) => source.file)).toEqual([]);
  });

  it('has no default exports and no file over 250 lines', () => {
    const broken = sources.filter(
      ({ text }) => /^export default /m.test(text) || text.split('\n').length > 251,
    );
    expect(broken.map(({ file, text }) => `${file} (${text.split('\n').length - 1})`)).toEqual([]);
  });

  it('pins every dependency exactly and names each in the README', () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    );
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const all: Record<string, string> = { ...dependencies, ...devDependencies, ...optionalDependencies };
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual(
      [],
    );
    expect(Object.keys(all).filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });
});
