import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { bubblewrap } from '../../runtime/isolation/bubblewrap.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { materialise } from '../../runtime/store/materialise.ts';
import type { Facts } from '../../scanner/checks/check.ts';
import { emptySchema } from '../../scanner/checks/empty-schema.ts';
import { resolveClosure } from '../../scanner/closure.ts';
import { credentialsIn, npmOptionsOf } from '../../scanner/npm.ts';
import { observe } from '../../scanner/observe.ts';
import type { ScanPorts, ScanResult } from '../../scanner/ports.ts';
import { scan } from '../../scanner/scan.ts';
import { upstreamFacts, upstreamVersions } from '../../scanner/upstream.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { diffSurfaces } from '../../schemas/diff/surfaces.ts';
import { Report } from '../../schemas/finding.ts';
import { canonical } from '../../schemas/json.ts';
import { isLocal, type Submission } from '../../schemas/release.ts';
import { pinSurface, Surface } from '../../schemas/surface.ts';
import { assertValid } from '../../schemas/validate.ts';
import { baselineOf, checkOf, firedIn, requestFor } from './harness.ts';

let ports: ScanPorts;
const scans = new Map<string, Promise<ScanResult>>();

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-npm-'));
  await chmod(dir, 0o755);
  ports = {
    codeDir: inject('codeDir'),
    blobs: await openBlobs(join(dir, 'blobs')),
    driver: bubblewrap({ nodePath: process.execPath }),
    workDir: dir,
    npm: await npmOptionsOf(dir),
    now: () => new Date(),
    progress: () => undefined,
  };
});
afterAll(() => rm(ports.workDir, { recursive: true, force: true }));

/** The submission of an official server; the file server gets a folder to serve. */
function submissionOf(server: string, version: string): Partial<Submission> {
  const { permissions } = requestFor().submission;
  const files = server === 'filesystem';
  return {
    name: `io.github.modelcontextprotocol/server-${server}`,
    version,
    source: `npm:@modelcontextprotocol/server-${server}@${version}`,
    args: files ? ['/data'] : [],
    permissions: { ...permissions, mounts: files ? [{ target: '/data', mode: 'rw' }] : [] },
  };
}

/** Each version is scanned once, the later one against the earlier. */
function scanned(server: string, version: string, before?: string): Promise<ScanResult> {
  const key = `${server}@${version}`;
  let result = scans.get(key);
  if (!result) {
    result = (async () => {
      const baseline = before === undefined ? null : baselineOf(await scanned(server, before));
      return scan(requestFor(submissionOf(server, version), baseline), ports);
    })();
    scans.set(key, result);
  }
  return result;
}

interface Manifest {
  readonly tools: (JsonObject & { name: string })[];
  readonly instructions: string | null;
  readonly serverInfo: JsonObject;
}

function manifestOf(key: string): Manifest {
  return JSON.parse(
    readFileSync(
      join(import.meta.dirname, '../fixtures/manifests', `npm__modelcontextprotocol__server-${key}.json`),
      'utf8',
    ),
  );
}

/** Tools by name, each as one text. */
function texts(tools: Iterable<JsonObject>): Record<string, string> {
  return Object.fromEntries([...tools].map((tool) => [String(tool.name), canonical(tool)]));
}

const SERVERS: readonly (readonly [string, string, string])[] = [
  ['filesystem', '2025.8.21', '2025.11.25'],
  ['filesystem', '2025.11.25', '2026.8.31'],
  ['everything', '2025.9.25', '2026.8.31'],
  ['memory', '2025.9.25', '2026.8.31'],
  ['sequential-thinking', '2025.7.1', '2025.11.25'],
];

describe.each(SERVERS)('[npm] server-%s, %s and %s', (server, older, newer) => {
  it('is scanned whole, its tools as another program saw them', async () => {
    for (const version of [older, newer]) {
      const { report, closure, surface } = await scanned(
        server,
        version,
        version === newer ? older : undefined,
      );
      assertValid(Report, report, 'the report');
      assertValid(Surface, surface, 'the surface');
      expect(closure.artifacts.length).toBeGreaterThan(1);
      expect(report.closure).toMatchObject({
        artifacts: closure.artifacts.length,
        verified: closure.artifacts.length,
      });
      expect(closure.artifacts.map(({ purl }) => purl)).toContain(
        `pkg:npm/%40modelcontextprotocol/server-${server}@${version}`,
      );
      expect(surface.volatile).toEqual([]);
      expect(report.egressTried).toEqual([]);
      const manifest = manifestOf(`${server}@${version}`);
      expect(surface.serverInfo).toMatchObject({ name: manifest.serverInfo.name });
      // The trap of filesystem@2025.8.21 has its own test below; server-everything shows more to a capable client.
      if (`${server}@${version}` !== 'filesystem@2025.8.21')
        expect(texts(Object.values(surface.tools))).toMatchObject(texts(manifest.tools));
    }
  });

  it('differs between the two, and the scan says how', async () => {
    const before = await scanned(server, older);
    const after = await scanned(server, newer, older);
    expect(after.surfaceDigest).not.toBe(before.surfaceDigest);
    expect(after.closure.digest).not.toBe(before.closure.digest);
    const changes = diffSurfaces(before.surface, after.surface);
    expect(changes.length).toBeGreaterThan(0);
    expect(firedIn(after, 'LK-SRF-01').length).toBeGreaterThan(0);
    expect(checkOf(after, 'LK-TXT-01').outcome).toBe('ok');
    expect(checkOf(after, 'LK-TXT-02').outcome).toBe('ok');
  });
});

describe('[npm] one tarball, two surfaces: filesystem@2025.8.21', () => {
  const ref = { name: '@modelcontextprotocol/server-filesystem', version: '2025.8.21' };

  it('loses its schemas with the zod that npm would take today, and the report says so', async () => {
    const { closure, surface, report } = await scanned('filesystem', '2025.8.21');
    const zod = closure.artifacts.find(({ location }) => location === 'node_modules/zod');
    expect(zod?.purl).toMatch(/^pkg:npm\/zod@4\./);
    const empty = Object.values(surface.tools).filter(
      (tool) => !('type' in (tool.inputSchema as JsonObject)),
    );
    expect(empty).toHaveLength(13);
    const check = report.checks.find(({ id }) => id === 'LK-SRF-02');
    expect(check?.outcome === 'fired' && check.findings).toHaveLength(13);
  });

  it('keeps them with another one: same package, other closure, other surface', async () => {
    const first = await scanned('filesystem', '2025.8.21');
    const { closure } = await resolveClosure(ref, ports, { zod: '3.25.76' });
    const root = (artifacts: typeof closure.artifacts) =>
      artifacts.find(({ location }) => location === `node_modules/${ref.name}`);
    expect(root(closure.artifacts)).toEqual(root(first.closure.artifacts));
    expect(closure.digest).not.toBe(first.closure.digest);
    const { appDir } = await materialise(closure, ports.blobs, join(ports.workDir, 'trees'));
    const { permissions } = requestFor(submissionOf('filesystem', '2025.8.21')).submission;
    if (!isLocal(first.launch)) throw new Error('a remote server');
    const { surface } = await observe({ appDir, launch: first.launch, permissions }, ports);
    expect(pinSurface(surface).digest).not.toBe(first.surfaceDigest);
    expect(texts(Object.values(surface.tools))).toEqual(texts(manifestOf('filesystem@2025.8.21').tools));
    expect(emptySchema.run({ surface } as Facts)).toMatchObject({ outcome: 'ok' });
  });
});

describe('[npm] what the registry tells', () => {
  it('is asked through the ordinary client', async () => {
    const versions = await upstreamVersions('@modelcontextprotocol/server-filesystem', ports.npm);
    expect(versions).toEqual(expect.arrayContaining(['2025.8.21', '2025.11.25', '2026.8.31']));
    const facts = await upstreamFacts('@modelcontextprotocol/server-filesystem', '2025.8.21', ports.npm);
    expect(facts.slice).toMatchObject({
      version: '2025.8.21',
      manifest: { dist: { integrity: expect.stringMatching(/^sha512-/) } },
    });
    for (const told of [facts.publishedAt, facts.publisher])
      expect(told === null || typeof told === 'string').toBe(true);
  });
});

describe("the npm client's configuration", () => {
  it('names a registry, as npm does, and where it caches', async () => {
    expect(ports.npm.registry).toMatch(/^https?:\/\//);
    expect(ports.npm.cache).toMatch(/_cacache$/);
  });

  it('keeps credentials for the registry they belong to', () => {
    const npmrc =
      '//npm.acme.example/:_authToken=${TOKEN}\n//npm.acme.example/:username = "ann"\n# //x/:_authToken=no\nregistry=https://npm.acme.example/\n//other.example/:_authToken=${UNSET}\n';
    expect(credentialsIn(npmrc, { TOKEN: 's3cret' })).toEqual({
      '//npm.acme.example/:_authToken': 's3cret',
      '//npm.acme.example/:username': 'ann',
      '//other.example/:_authToken': '${UNSET}',
    });
  });
});
