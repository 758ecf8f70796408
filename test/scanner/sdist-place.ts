/** A package that has a source archive alone, with a backend of its own that needs no other package. */
import { onTestFinished } from 'vitest';
import { machinePython } from '../../runtime/python/machine.ts';
import { type BuiltWheel, buildWheel } from '../../scanner/pypi/build.ts';
import { indexClient } from '../../scanner/pypi/http.ts';
import { chooseSdist } from '../../scanner/pypi/sdist.ts';
import { type Listed, startPypiIndex } from '../helpers/pypi-index.ts';
import { sdistOf } from '../helpers/sdists.ts';
import { pipOf, place } from './pypi-place.ts';

/** Makes the wheel that it is told to; `extra` are files of it that the source has not. */
export const BACKEND = `
import base64, hashlib, os, sys, zipfile
def wheel(out, name='acme_words', version='2.0.1', tag='py3-none-any', extra={}, record=str):
    info = '%s-%s.dist-info/' % (name, version)
    files = {'acme_words.py': open('acme_words.py').read(), **extra,
             info + 'METADATA': 'Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n' % (name, version),
             info + 'WHEEL': 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: %s\\n' % tag}
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')
        rows.append('%s,sha256=%s,%d' % (path, digest, len(text.encode())))
    files[info + 'RECORD'] = record('\\n'.join([*rows, info + 'RECORD,,', '']))
    file = '%s-%s-%s.whl' % (name, version, tag)
    with zipfile.ZipFile(os.path.join(out, file), 'w') as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return file
`;
const PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["tools"]\n';

export interface WordsSpec {
  /** Lines of `build_wheel(out)`. */
  readonly build?: string;
  /** Lines of the backend beside it. */
  readonly beside?: string;
  readonly pyproject?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** `acme-words` 2.0.1. */
export function words({
  build = 'return wheel(out)',
  beside = '',
  pyproject = PYPROJECT,
  files = {},
}: WordsSpec = {}) {
  const body = build.replace(/^/gm, '    ');
  const own = `${BACKEND}${beside}\ndef build_wheel(out, settings=None, metadata=None):\n${body}\n`;
  return sdistOf({
    name: 'acme-words',
    version: '2.0.1',
    files: {
      'acme_words.py': "WORD = 'again'\n",
      'pyproject.toml': pyproject,
      'tools/own.py': own,
      ...files,
    },
  });
}

/** Built alone, without a server around it. */
export async function builtFrom(
  source: Listed,
  { others = [], buildMs = 60_000 }: { others?: readonly Listed[]; buildMs?: number } = {},
): Promise<BuiltWheel & { readonly requests: readonly string[] }> {
  const { url, requests } = await startPypiIndex([source, ...others]);
  const { ports } = await place({});
  const options = await pipOf(url);
  const client = indexClient(options);
  onTestFinished(() => client.close());
  const world = { options, client, python: await machinePython(), ports: { ...ports, buildMs } };
  const sdist = await chooseSdist({ name: source.name, specifier: '' }, world);
  if (sdist === null) throw new Error('no source archive');
  return { ...(await buildWheel(sdist, world)), requests };
}
