/** Real attestations of a Python package (PEP 740), as an index keeps them. */
import { describe, expect, it } from 'vitest';
import { repositoryUrl } from '../../scanner/provenance/claimed.ts';
import { type Attested, rankOf } from '../../scanner/provenance/standing.ts';
import type { TrustFiles } from '../../scanner/provenance/trust.ts';
import { wheelAttested } from '../../scanner/pypi/attested.ts';
import { indexClient } from '../../scanner/pypi/http.ts';
import { pypiOptionsOf } from '../../scanner/pypi/options.ts';
import { projectFiles } from '../../scanner/pypi/project.ts';
import { publishedFacts } from '../../scanner/pypi/published.ts';
import { pypiRefOf } from '../../schemas/pypi.ts';
import { type Listed, startPypiIndex } from '../helpers/pypi-index.ts';
import { bytesOf } from '../helpers/signature-bundles.ts';
import { trustOf } from './signed-place.ts';

const FILE = 'pypi_attestations-0.0.19.tar.gz';
const BYTES = bytesOf(`pypi-attestations/${FILE}`);
const one = (kind: string): object =>
  JSON.parse(bytesOf(`pypi-attestations/${FILE}.${kind}.attestation`).toString('utf8'));
const GITLAB = 'gitlab_oidc_project-0.0.3.tar.gz';

const integrity = (publisher: object, ...attestations: object[]): Buffer =>
  Buffer.from(JSON.stringify({ version: 1, attestation_bundles: [{ publisher, attestations }] }));
const OURS = { kind: 'GitHub', repository: 'trailofbits/pypi-attestations', workflow: 'release.yml' };

const METADATA = `Metadata-Version: 2.4
Name: pypi-attestations
Project-URL: Homepage, https://pypi-attestations.example
Project-URL: Source, https://github.com/trailofbits/pypi-attestations
Project-URL: Funding, https://github.com/acme/other

Project-URL: Source, https://github.com/acme/body
`;
const files = [
  { path: 'pypi_attestations-0.0.19.dist-info/METADATA', bytes: Buffer.from(METADATA), executable: false },
];

const machine = await pypiOptionsOf({ PIP_INDEX_URL: 'http://127.0.0.1:1/simple', PATH: process.env.PATH });

interface Look {
  readonly attestations?: Buffer;
  readonly archive?: Buffer;
  readonly trust?: TrustFiles;
  readonly beside?: readonly Listed[];
  readonly file?: string;
  readonly project?: object;
}

async function look({ attestations, archive, trust, beside = [], file = FILE, project }: Look): Promise<{
  attested: Attested;
  maintainers: readonly string[] | null;
}> {
  const name = file.startsWith('gitlab') ? 'gitlab-oidc-project' : 'pypi-attestations';
  const listed: Listed = { name, file, bytes: BYTES, ...(attestations ? { attestations } : {}) };
  const { url } = await startPypiIndex([...beside, listed], { projects: project ? { [name]: project } : {} });
  const options = { ...machine, indexes: [url] };
  const client = indexClient(options);
  const page = (await projectFiles(url, name, client)) ?? [];
  await client.close();
  const own = page.find((entry) => entry.file === file);
  if (!own) throw new Error('not listed');
  const version = file.startsWith('gitlab') ? '0.0.3' : '0.0.19';
  const wheel = { ref: pypiRefOf(`pypi:${name}@${version}`), own, listed: page, options };
  const upstream = await publishedFacts(wheel);
  const known = { upstream, archive: archive ?? BYTES, files, trust: trust ?? trustOf() };
  const { attested } = await wheelAttested(wheel, known);
  return { attested, maintainers: upstream.maintainers };
}

describe('attestations of a file of a Python package', () => {
  it('hold, and bind it to the repository that its metadata names', async () => {
    const { attested } = await look({ attestations: integrity(OURS, one('publish'), one('slsa')) });
    expect(attested.publish).toMatchObject({ state: 'held' });
    expect(attested.build).toMatchObject({
      state: 'held',
      value: { builder: { repository: 'https://github.com/trailofbits/pypi-attestations' } },
    });
    expect(attested.claimed).toEqual(['https://github.com/trailofbits/pypi-attestations']);
    expect(rankOf(attested)).toBe('bound-provenance');
    const { attested: published } = await look({ attestations: integrity(OURS, one('publish')) });
    expect(rankOf(published)).toBe('publish-attestation');
    expect(published.build).toMatchObject({ state: 'absent' });
  });

  it('hold for a GitLab project', async () => {
    const attestation = JSON.parse(
      bytesOf(`pypi-attestations/${GITLAB}.publish.attestation`).toString('utf8'),
    );
    const publisher = { kind: 'GitLab', repository: 'facutuesca/gitlab-oidc-project' };
    const archive = bytesOf(`pypi-attestations/${GITLAB}`);
    const { attested } = await look({
      file: GITLAB,
      archive,
      attestations: integrity(publisher, attestation),
    });
    expect(attested.publish).toMatchObject({
      state: 'held',
      value: { built: { builder: { issuer: 'https://gitlab.com' } } },
    });
  });

  it('are broken for other bytes, another publisher than the index says, and what is no such answer', async () => {
    const good = integrity(OURS, one('publish'), one('slsa'));
    const broken = async (given: Look): Promise<string> => {
      const { publish, build } = (await look(given)).attested;
      expect(build.state).toBe(publish.state);
      return publish.state === 'broken' ? publish.code : publish.state;
    };
    expect(await broken({ attestations: good, archive: Buffer.from('other') })).toBe('PROVENANCE_SUBJECT');
    const other = { ...OURS, repository: 'acme/other' };
    expect(await broken({ attestations: integrity(other, one('publish')) })).toBe('PROVENANCE_IDENTITY');
    expect(await broken({ attestations: Buffer.from('{"version":2}') })).toBe('PROVENANCE_INVALID');
    expect(await broken({ attestations: Buffer.from('<html>') })).toBe('JSON_INVALID');
    const staging = bytesOf('trust-roots/trusted_root_staging.json');
    expect(await broken({ attestations: good, trust: trustOf({ sigstore: staging }) })).toBe(
      'PROVENANCE_INVALID',
    );
    expect(await broken({ attestations: good, trust: { pinned: {}, files: new Map(), where: '' } })).toBe(
      'unknown',
    );
  });

  it('are absent where the index has some of other files, and unknown where of none', async () => {
    expect((await look({})).attested.publish).toMatchObject({ state: 'unknown' });
    const attestations = integrity(OURS, one('publish'));
    const beside = [
      { name: 'pypi-attestations', file: 'pypi_attestations-0.0.18.tar.gz', bytes: BYTES, attestations },
    ];
    expect((await look({ beside })).attested.publish).toMatchObject({ state: 'absent' });
  });
});

describe('who may publish a project', () => {
  it('is what the index says, and unknown where it says nothing', async () => {
    const roles = [
      { role: 'Owner', user: 'ann' },
      { role: 'Maintainer', user: 'bob' },
    ];
    const project = { ownership: { roles, organization: 'acme' } };
    const told = ['acme (Organization)', 'ann (Owner)', 'bob (Maintainer)'];
    expect((await look({ project })).maintainers).toEqual(told);
    expect((await look({})).maintainers).toBeNull();
    expect((await look({ project: { ownership: { roles: [{}] } } })).maintainers).toBeNull();
  });
});

describe('an address of a repository', () => {
  it.each([
    ['git+https://github.com/acme/tool.git', 'https://github.com/acme/tool'],
    ['github:acme/tool', 'https://github.com/acme/tool'],
    ['acme/tool', 'https://github.com/acme/tool'],
    ['gitlab:acme/tool#main', 'https://gitlab.com/acme/tool'],
    ['git@github.com:acme/tool.git', 'https://github.com/acme/tool'],
    ['git+ssh://git@github.com/acme/tool.git', 'https://github.com/acme/tool'],
    ['https://github.com/acme/tool/tree/main/packages/x', 'https://github.com/acme/tool'],
    ['https://user:secret@github.com:8443/acme/tool', 'https://github.com/acme/tool'],
    ['https://github.com/acme', null],
    ['file:///etc/passwd', null],
    ['javascript:alert(1)//a/b', null],
    ['not an address', null],
  ])('%s', (text, url) => expect(repositoryUrl(text)).toBe(url));
});
