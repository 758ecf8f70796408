import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import type { Finding } from '../../schemas/finding.ts';
import { isFolder } from '../../schemas/folders.ts';
import { isWheel } from '../../schemas/pypi.ts';
import { counted } from '../text.ts';
import { buildCodeIn } from './build-code.ts';
import { type Check, finding, firedOr } from './check.ts';
import { packagesIn } from './packages.ts';
import { startFilesIn } from './start-files.ts';

const HOOKS = ['preinstall', 'install', 'postinstall'];
/** Scripts that build or fetch a native module, and nothing else that can be seen. */
const NATIVE_BUILD =
  /^(?:node-gyp(?:-build)?(?: rebuild)?|node-pre-gyp install(?: --fallback-to-build)?|prebuild-install)(?:\s*\|\|\s*(?:node-gyp rebuild|npm run \S+))?$/;

/** What would run at install time, or with every start of an interpreter. Lockkeeper never runs them, but for code that builds a wheel, in a sandbox; they say what a package is ready to do. */
export const installScripts: Check = {
  id: 'LK-ART-02',
  title: 'Install scripts and start files anywhere in the closure',
  owasp: 'MCP04',
  about: 'package',
  readsCode: true,
  run: async ({ closure, files, code }) => {
    const findings: Omit<Finding, 'check'>[] = [];
    for (const artifact of closure.artifacts) {
      const own = await files(artifact.purl);
      // A folder of a bundle need not be a package of npm.
      if (isFolder(artifact) && !own.some(({ path }) => path === 'package.json')) continue;
      const read = isWheel(artifact) ? startFilesIn : scriptsIn;
      findings.push(...read(artifact.purl, own));
      const { built } = artifact;
      if (built)
        findings.push(...buildCodeIn(built, await files(built.source.purl), await code(built.source.purl)));
    }
    return firedOr(findings, `none in ${counted(packagesIn(closure.artifacts), 'package')}`);
  },
};

function scriptsIn(purl: string, files: readonly UnpackedFile[]): Omit<Finding, 'check'>[] {
  const text = files.find((file) => file.path === 'package.json')?.bytes.toString('utf8') ?? '';
  const scripts = scriptsOf(text);
  const file = (path: string, line: number, excerpt: string) =>
    [{ kind: 'file', artifact: purl, path, line, excerpt: excerpt.slice(0, 300) }] as const;
  if (scripts === null) {
    const message = `${purl} has a package.json that cannot be read, so its scripts are not known`;
    return [finding('high', message, file('package.json', 0, text))];
  }
  const found = HOOKS.flatMap((hook) => {
    const script = scripts[hook];
    if (typeof script !== 'string') return [];
    const severity = NATIVE_BUILD.test(script.trim()) ? 'medium' : 'high';
    const line = text.slice(0, Math.max(0, text.search(`"${hook}"\\s*:`))).split('\n').length;
    return [
      finding(
        severity,
        `${purl} has the install script ${hook}`,
        file('package.json', line, `${hook}: ${script}`),
      ),
    ];
  });
  if (files.some(({ path }) => path === 'binding.gyp') && scripts.install === undefined) {
    found.push(
      finding('medium', `${purl} builds native code when installed`, file('binding.gyp', 0, 'binding.gyp')),
    );
  }
  return found;
}

function scriptsOf(text: string): Record<string, unknown> | null {
  try {
    const { scripts } = JSON.parse(text.replace(/^\ufeff/, '')) as { scripts?: unknown };
    return scripts !== null && typeof scripts === 'object' ? (scripts as Record<string, unknown>) : {};
  } catch {
    return null;
  }
}
