import { describe, expect, it } from 'vitest';
import { buildCodeIn } from '../../scanner/checks/build-code.ts';
import type { CodeFacts } from '../../scanner/code/facts.ts';
import type { Built } from '../../schemas/built.ts';

const built = (backend: string, ...inTree: string[]): Built => ({
  source: {
    location: 'sdists/a-1.tar.gz',
    purl: 'pkg:pypi/a@1?file_name=a-1.tar.gz',
    sha256: 'sha256:',
    size: 1,
  },
  ...{ backend, inTree, requires: [], builder: '', reproducible: true },
});
const files = ['setup.py', 'hatch_build.py', 'pdm_build.py', 'build.py', 'tools/own.py', 'a/__init__.py'].map(
  (path) => ({
    path,
    bytes: Buffer.from('# a comment\n\nimport os\n'),
    executable: false,
  }),
);
const nothing = { uses: [], hidden: [], unread: [] };
const at = (path: string) => ({ path, line: 3, excerpt: '' });
const said = (one: Built, code: Partial<CodeFacts> = {}): string[] =>
  buildCodeIn(one, files, { ...nothing, ...code }).map(
    ({ severity, message }) =>
      `${severity}: ${message.replace(/^\S+ runs its own code when it is built: /, '')}`,
  );

describe('code that ran when a wheel was built', () => {
  it.each([
    ['setuptools.build_meta', [], ['medium: setup.py']],
    ['setuptools.build_meta:__legacy__', [], ['medium: setup.py']],
    ['hatchling.build', [], ['medium: hatch_build.py']],
    ['pdm.backend', [], ['medium: pdm_build.py']],
    ['poetry.core.masonry.api', [], ['medium: build.py']],
    ['flit_core.buildapi', [], []],
    ['own', ['tools'], ['medium: tools/own.py']],
    ['own', ['./tools/'], ['medium: tools/own.py']],
    ['setup', ['.'], ['medium: setup.py, hatch_build.py, pdm_build.py and 1 more']],
  ] as const)('is told for %s in %j', (backend, inTree, messages) => {
    expect(said(built(backend, ...inTree))).toEqual(messages);
  });

  it('is graver for what it reaches and hides, in these files alone', () => {
    const uses: CodeFacts['uses'] = [
      { capability: 'programs', what: 'subprocess', ...at('setup.py') },
      { capability: 'network', what: 'socket', ...at('a/__init__.py') },
    ];
    const setup = built('setuptools.build_meta');
    expect(said(setup, { uses })).toEqual(['high: setup.py, which reaches programs']);
    const hidden = [{ kind: 'code out of base64', grave: true, ...at('setup.py') }];
    expect(said(setup, { hidden })).toEqual(['high: setup.py, which hides what it does']);
    const unread = [{ path: 'setup.py', reason: 'it ended the Python that read it' }];
    expect(said(setup, { unread })).toEqual(['high: setup.py, which could not be read']);
    const evidence = buildCodeIn(setup, files, { ...nothing, uses }).flatMap((one) => one.evidence);
    expect(evidence).toMatchObject([
      { path: 'setup.py', line: 3, excerpt: 'import os' },
      { path: 'setup.py', line: 3 },
    ]);
  });
});
