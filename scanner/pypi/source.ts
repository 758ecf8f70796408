/** A submission from a Python package index: its closure, and how it is started. */
import { machinePython } from '../../runtime/python/machine.ts';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { textIn } from '../../runtime/store/wheel.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type PypiRef, type PythonTarget, pypiPurl, pypiRefOf } from '../../schemas/pypi.ts';
import type { LocalLaunch, Submission } from '../../schemas/release.ts';
import type { PackageSource, ScanPorts } from '../ports.ts';
import { incomplete } from '../tree.ts';
import { wheelAttested } from './attested.ts';
import { resolveWheels } from './closure.ts';
import type { PypiOptions } from './options.ts';
import { publishedFacts } from './published.ts';

export async function pypiSource(submission: Submission, ports: ScanPorts): Promise<PackageSource> {
  const ref = pypiRefOf(submission.source);
  const rootPurl = pypiPurl(ref);
  const python = await machinePython();
  const options = await optionsOf(ports);
  const { closure, unpromised, target, own, listed, source } = await resolveWheels(
    ref,
    { options, python },
    ports,
  );
  return {
    ...{ closure, unpromised, rootPurl },
    launch: (files) => wheelLaunch(ref, { submission, target, files }),
    upstream: () => publishedFacts({ ref, own, listed, options }),
    // Of a wheel that was built here, what is signed is its source.
    attested: (known) =>
      wheelAttested({ ref, own, listed, options }, { ...known, archive: source ?? known.archive }),
  };
}

async function optionsOf({ pypi }: ScanPorts): Promise<PypiOptions> {
  if (pypi) return pypi();
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: 'a scanner that has a Python package index',
    found: 'one without',
    next: 'Scan it with a registry that lk serve started',
  });
}

/** The script named like the package, or its only one, as `uvx` chooses. Throws CLOSURE_INCOMPLETE. */
function wheelLaunch(
  ref: PypiRef,
  {
    submission,
    target,
    files,
  }: { submission: Submission; target: PythonTarget; files: readonly UnpackedFile[] },
): LocalLaunch {
  const path = files.find((file) => /^[^/]+\.dist-info\/entry_points\.txt$/.test(file.path))?.path;
  const scripts = scriptsIn(path === undefined ? '' : (textIn(files, path) ?? ''));
  const [only] = scripts.size === 1 ? scripts : [];
  const [name, object] = scripts.has(ref.name) ? [ref.name, scripts.get(ref.name)] : (only ?? []);
  const label = `${ref.name}@${ref.version}`;
  if (name === undefined || object === undefined) {
    const names = [...scripts.keys()].slice(0, 10).map((one) => quote(one, 60));
    throw incomplete(
      `one console script in ${label}`,
      names.length > 0 ? `several: ${names.join(', ')}` : 'none',
    );
  }
  const word = '[A-Za-z_][A-Za-z0-9_]*';
  if (!new RegExp(`^${word}(?:[.]${word})*:${word}(?:[.]${word})*$`).test(object))
    throw incomplete(
      `the console script ${quote(name, 60)} of ${label} as module:object`,
      quote(object, 200),
    );
  return {
    transport: 'stdio',
    command: ['python', object, name, ...submission.args],
    projectArgs: submission.projectArgs,
    python: target,
  };
}

/** Names and objects of the section `[console_scripts]`. */
export function scriptsIn(text: string): Map<string, string> {
  const scripts = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
    const [, head] = /^\[(.*)\]$/.exec(line) ?? [];
    if (head !== undefined) section = head.trim();
    const at = line.indexOf('=');
    const name = line.slice(0, Math.max(at, 0)).trim();
    const [object = '', ...extras] = line.slice(at + 1).split('[');
    if (section !== 'console_scripts' || name === '' || /[#;]/.test(name) || object.trim() === '') continue;
    if (extras.length === 0 || line.endsWith(']')) scripts.set(name, object.replace(/\s+/g, ''));
  }
  return scripts;
}
