/** A whole scan of a package that is signed, under pinned trust files, with its repository at a GitHub on the loopback. */
import { expect, it, onTestFinished } from 'vitest';
import { openGithub } from '../../scanner/github/client.ts';
import type { ScanPorts } from '../../scanner/ports.ts';
import { scan } from '../../scanner/scan.ts';
import { Report } from '../../schemas/finding.ts';
import { sha256 } from '../../schemas/json.ts';
import { assertValid } from '../../schemas/validate.ts';
import { COMMIT, startGithub } from '../helpers/github.ts';
import { baselineOf, checkOf, firedIn, NOW, plain, requestFor, worldOf } from './harness.ts';
import { keysUntil, signedBy, trustOf } from './signed-place.ts';

const shown = {
  tools: [{ name: 'weather', description: 'Tells the weather.', inputSchema: { type: 'object' } }],
};
const told = { _npmUser: { name: 'ann', email: 'ann@acme.example' } };
const manifest = { repository: 'github:acme/server' };
const first = signedBy(plain(shown, { told, manifest }));
const next = plain(shown, { told, manifest, version: '1.0.1', publishedAt: '2026-02-01T00:00:00.000Z' });

it('says who stands behind a package, keeps what that rests on, and sees the next one come without', async () => {
  const { ports: bare, publish } = await worldOf([first]);
  const fake = await startGithub({
    ...{ name: 'acme/server', tags: { 'v1.0.0': COMMIT }, releases: ['v1.0.0'] },
    files: { 'package.json': '{"name":"@acme/server"}' },
  });
  const github = openGithub({
    ...{ api: fake.url, host: 'github.com', token: null, environment: {}, now: () => NOW },
  });
  onTestFinished(() => github.close());
  const ports: ScanPorts = { ...bare, github, trust: async () => trustOf() };
  const result = await scan(requestFor(), ports);
  assertValid(Report, result.report, 'the report');
  expect(result.report.origin).toEqual({
    provenance: { rank: 'registry-signature', builder: null },
    publisher: { account: 'ann <ann@acme.example>', kind: 'person', configuration: null },
    repository: { name: 'acme/server', id: '1001', tag: { name: 'v1.0.0', commit: COMMIT } },
  });
  for (const id of [
    'LK-SIG-01',
    'LK-PRV-01',
    'LK-PRV-03',
    'LK-REP-01',
    'LK-REP-02',
    'LK-REP-03',
    'LK-REL-03',
  ])
    expect(checkOf(result, id).outcome, id).toBe('ok');
  expect(result.report.evidence['trust-npm']).toBe(sha256(keysUntil()));
  const seen = await ports.blobs.get(result.report.evidence.repository ?? '');
  expect(JSON.parse(seen.toString('utf8'))).toMatchObject({ asked: 'acme/server', found: { id: '1001' } });

  publish([next]);
  const after = await scan(requestFor({ version: '1.0.1' }, baselineOf(result)), ports);
  expect(firedIn(after, 'LK-SIG-01')).toEqual(['the registry signed other versions and not this one']);
  expect(firedIn(after, 'LK-PRV-03')).toEqual([
    "1.0.0, the last approved, had the registry's signature; this version has nothing signed",
  ]);
  expect(firedIn(after, 'LK-REL-03')).toEqual(['acme/server tags versions, and not 1.0.1']);
  expect(checkOf(after, 'LK-PRV-03')).toMatchObject({ gates: true });
});
