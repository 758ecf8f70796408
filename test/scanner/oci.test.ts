import { readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ResolveTag, submissionOf } from '../../cli/submission.ts';
import { materialise } from '../../runtime/store/materialise.ts';
import type { Named } from '../../scanner/installed/package.ts';
import { resolveImage } from '../../scanner/oci/closure.ts';
import { ociOptionsOf } from '../../scanner/oci/options.ts';
import { resolveTag } from '../../scanner/oci/tag.ts';
import type { ScanPorts } from '../../scanner/ports.ts';
import { scan } from '../../scanner/scan.ts';
import { ociRefOf, parsedOci } from '../../schemas/oci.ts';
import { cycloneDxErrors } from '../helpers/cyclonedx.ts';
import {
  digestOf,
  documentBlob,
  type Image,
  imageOf,
  indexOf,
  layerOf,
  MANIFEST,
  named,
  PLATFORM,
  serverImage,
} from '../helpers/image.ts';
import { type OciOptionsOfTest, type OciRegistry, startOciRegistry } from '../helpers/oci-registry.ts';
import { checkOf, firedIn, NOW, refusalOf, requestFor, worldOf } from './harness.ts';

async function place(environment: Record<string, string> = {}): Promise<{ ports: ScanPorts; dir: string }> {
  const { ports, dir } = await worldOf([]);
  const oci = (): ReturnType<typeof ociOptionsOf> => ociOptionsOf({ HOME: dir, ...environment });
  return { ports: { ...ports, oci }, dir };
}

describe('a server that is an image', () => {
  it('is resolved, verified, started and read', async () => {
    const image = serverImage({ Volumes: { '/srv/data': {} }, ExposedPorts: { '80/tcp': {} } }, [
      {
        path: 'srv/node_modules/left/package.json',
        content: '{"name":"left","version":"1.2.0","license":"BUSL-1.1"}',
      },
    ]);
    const registry = await startOciRegistry();
    registry.push(image);
    const { ports, dir } = await place();
    const source = `oci:${registry.host}/acme/shell@${image.index.digest}`;
    const asked: Named[] = [];
    const request = requestFor({ source, version: '1.0.0' });
    const result = await scan(
      {
        ...request,
        policy: { ...request.policy, scan: { ...request.policy.scan, licences: ['MIT'] } },
        advisories: async (packages) => {
          asked.push(...packages);
          return { newest: NOW.toISOString(), affecting: [], missing: [] };
        },
      },
      ports,
    );
    expect(asked.map(({ purl }) => purl)).toEqual(['pkg:npm/left@1.2.0']);
    expect(checkOf(result, 'LK-ADV-01').outcome).toBe('ok');
    expect(firedIn(result, 'LK-LIC-01')).toEqual(["BUSL-1.1 is not on the policy's list: left"]);
    const bill = JSON.parse((await ports.blobs.get(result.report.evidence.sbom ?? '')).toString());
    expect(cycloneDxErrors(bill)).toEqual([]);
    expect(bill.components).toMatchObject([{ purl: 'pkg:npm/left@1.2.0' }]);
    expect(result.closure.artifacts.map(({ location }) => location)).toEqual([
      'oci/config.json',
      'oci/index.json',
      'oci/layers/000',
      'oci/layers/001',
      'oci/manifest.json',
    ]);
    expect(result.launch).toEqual({
      transport: 'stdio',
      command: ['sh', '/srv/server.sh', 'one'],
      projectArgs: false,
      image: {
        platform: PLATFORM,
        env: { PATH: '/bin', GREETING: 'hello from the image', LD_LIBRARY_PATH: '/srv' },
        workingDir: '/srv',
        user: '1000',
      },
    });
    expect(Object.keys(result.surface.tools).sort()).toEqual(['greet', 'machine', 'where', 'write']);
    expect(result.report.image).toMatchObject({ layers: 2, others: ['linux/s390x'], user: '1000' });
    expect(firedIn(result, 'LK-IMG-01').join('\n')).toMatch(/not looked at[\s\S]*listens[\s\S]*read-only/);
    expect(checkOf(result, 'LK-ART-01').outcome).toBe('ok');
    expect(checkOf(result, 'LK-PRV-03')).toMatchObject({ outcome: 'ok', note: 'nothing signed' });
    const ids = result.report.checks.map(({ id }) => id);
    expect(ids).not.toContain('LK-ART-02');
    expect(ids).not.toContain('LK-SIG-01');
    const again = await materialise(result.closure, ports.blobs, join(dir, 'trees'));
    expect(again.built).toBe(false);
    expect(readdirSync(join(again.appDir, 'srv')).sort()).toEqual(['data', 'node_modules', 'server.sh']);
  });
});

type Ref = Pick<Image, 'manifest' | 'index'>;
interface Hostile {
  readonly options?: OciOptionsOfTest;
  readonly image?: Image;
  /** What is asked for in place of the index; its other parts are laid in by `lay`. */
  readonly lay?: (registry: OciRegistry, image: Image) => Ref['manifest'];
  readonly code: string;
  readonly words: string;
  /** Folder that projects could fill. */
  readonly mount?: string;
}

const honest = imageOf({
  layers: [layerOf([{ path: 'srv/a', content: 'a' }])],
  config: { Entrypoint: ['/srv/a'] },
});
const [config, layer] = honest.blobs;
if (!config || !layer) throw new Error('an image without parts');
const other = imageOf({ layers: [layerOf([{ path: 'srv/b', content: 'b' }])], platform: 'linux/s390x' });
const here = { os: PLATFORM.split('/')[0], architecture: PLATFORM.split('/')[1] };

const HOSTILE: Readonly<Record<string, Hostile>> = {
  'a layer with other bytes': {
    options: { instead: { [layer.digest]: Buffer.from('evil') } },
    ...{ code: 'ARTIFACT_MISMATCH', words: 'layer 1 of 1 with .* bytes and digest.*found 4 bytes' },
  },
  'a config with other bytes of the same size': {
    options: { instead: { [config.digest]: Buffer.alloc(config.size, 0x20) } },
    ...{ code: 'ARTIFACT_MISMATCH', words: 'the config of the image' },
  },
  'an index with other bytes': {
    options: { instead: { [honest.index.digest]: honest.manifest.bytes } },
    ...{ code: 'ARTIFACT_MISMATCH', words: 'the manifest' },
  },
  'a layer that does not end': {
    options: { instead: { [layer.digest]: 'endless' } },
    ...{ code: 'CLOSURE_INCOMPLETE', words: `layer 1 of 1 in at most ${layer.size} bytes; found more` },
  },
  'a manifest that does not end': {
    options: { instead: { [honest.manifest.digest]: 'endless' } },
    ...{ code: 'CLOSURE_INCOMPLETE', words: 'in at most 4194304 bytes' },
  },
  'a layer that is shorter than the manifest says': {
    lay: (registry) => {
      const lie = { ...named(layer), size: layer.size + 1 };
      const manifest = documentBlob(
        { ...JSON.parse(honest.manifest.bytes.toString()), layers: [lie] },
        MANIFEST,
      );
      registry.put(manifest);
      return manifest;
    },
    ...{ code: 'ARTIFACT_MISMATCH', words: 'layer 1 of 1' },
  },
  'a layer of many gigabytes, before it is fetched': {
    lay: (registry) => {
      const lie = { ...named(layer), size: 2 ** 40 };
      const manifest = documentBlob(
        { ...JSON.parse(honest.manifest.bytes.toString()), layers: [lie] },
        MANIFEST,
      );
      registry.put(manifest);
      return manifest;
    },
    ...{ code: 'CLOSURE_INCOMPLETE', words: 'layers of at most 536870912 bytes' },
  },
  'blobs that move in a circle': {
    options: { moved: (digest, host) => `http://${host}/v2/acme/shell/blobs/${digest}` },
    ...{ code: 'SOURCE_UNREACHABLE', words: 'more than 5 redirections' },
  },
  'blobs at no address of the web': {
    options: { moved: () => 'file:///etc/passwd' },
    ...{ code: 'SOURCE_UNREACHABLE', words: 'no address of the web' },
  },
  'blobs at an address of a cloud itself': {
    options: { moved: () => 'http://169.254.169.254/latest' },
    ...{ code: 'SOURCE_UNREACHABLE', words: '169.254.169.254, where nothing of a registry is' },
  },
  'blobs behind a password in an address': {
    options: { moved: () => 'http://user:pass@127.0.0.1:1/' },
    ...{ code: 'SOURCE_UNREACHABLE', words: 'a password in it' },
  },
  'a media type that is no image': {
    options: { type: 'application/vnd.oci.artifact.manifest.v1+json' },
    ...{ code: 'ARCHIVE_HOSTILE', words: 'an image, or an index of images' },
  },
  'an index served as a manifest': {
    options: { type: MANIFEST },
    ...{ code: 'ARCHIVE_HOSTILE', words: 'that calls itself' },
  },
  'an index without this platform': {
    lay: (registry) => {
      const index = indexOf([{ ...named(other.manifest), platform: { os: 'linux', architecture: 's390x' } }]);
      registry.put(index);
      return index;
    },
    ...{ code: 'CLOSURE_INCOMPLETE', words: `one image for ${PLATFORM} in the index; found linux/s390x` },
  },
  'an index with two images for this platform': {
    lay: (registry) => {
      const index = indexOf([honest, other].map(({ manifest }) => ({ ...named(manifest), platform: here })));
      registry.put(index);
      return index;
    },
    ...{ code: 'CLOSURE_INCOMPLETE', words: 'found 2 of them' },
  },
  'an image for another platform than its index says': {
    lay: (registry) => {
      registry.push(other);
      const index = indexOf([{ ...named(other.manifest), platform: here }]);
      registry.put(index);
      return index;
    },
    ...{ code: 'CLOSURE_INCOMPLETE', words: 'one for "linux/s390x"' },
  },
  'an index of an index': {
    lay: (registry) => {
      const index = indexOf([{ ...named(honest.index), platform: here }]);
      registry.put(index);
      return index;
    },
    ...{ code: 'CLOSURE_INCOMPLETE', words: 'one image for' },
  },
  'an image that its index tells another size of': {
    lay: (registry) => {
      const index = indexOf([{ ...named(honest.manifest), size: 7, platform: here }]);
      registry.put(index);
      return index;
    },
    ...{ code: 'ARCHIVE_HOSTILE', words: 'of 7 bytes, as the index says' },
  },
  'an image that its index names and nobody has': {
    lay: (registry) => {
      const gone = documentBlob({ schemaVersion: 2 }, MANIFEST);
      const index = indexOf([{ ...named(gone), platform: here }]);
      registry.put(index);
      return index;
    },
    ...{ code: 'CLOSURE_INCOMPLETE', words: 'nothing in the registry' },
  },
  'nothing under that digest': {
    lay: (_, { manifest }) => ({ ...manifest, digest: digestOf(Buffer.from('x')) }),
    code: 'SOURCE_INVALID',
    words: 'no such image',
  },
  'no command': {
    image: imageOf({ layers: [layerOf([{ path: 'a' }])] }),
    code: 'CLOSURE_INCOMPLETE',
    words: 'an entrypoint or a command',
  },
  'variables that cannot be set': {
    image: imageOf({ layers: [layerOf([{ path: 'a' }])], config: { Cmd: ['/a'], Env: ['a-b=c'] } }),
    ...{ code: 'CLOSURE_INCOMPLETE', words: 'variables of the image as NAME=VALUE; found "a-b=c"' },
  },
  'a mount behind a link of the image': {
    image: imageOf({
      layers: [layerOf([{ path: 'data', type: 'SymbolicLink', target: 'srv' }])],
      config: { Cmd: ['/a'] },
    }),
    ...{ mount: '/data', code: 'CLOSURE_INCOMPLETE', words: '/data as a folder of the image.*found link' },
  },
  'a mount inside a folder of the image that has no such place': {
    image: imageOf({ layers: [layerOf([{ path: 'home/a' }])], config: { Cmd: ['/a'] } }),
    ...{ mount: '/home/b', code: 'CLOSURE_INCOMPLETE', words: 'found nothing' },
  },
  'a sign-in that nobody has': {
    options: { login: { scheme: 'bearer', pair: 'ann:secret' } },
    ...{ code: 'SOURCE_UNREACHABLE', words: 'HTTP 401, without a login.*docker login' },
  },
  'a realm that is no https address elsewhere': {
    options: { login: { scheme: 'bearer', pair: 'ann:secret' }, realm: 'ftp://127.0.0.1/token' },
    ...{ code: 'SOURCE_UNREACHABLE', words: 'which is no https address' },
  },
};

describe('an image of a registry is refused, and nothing of it started, for', () => {
  it.each(Object.entries(HOSTILE))(
    '%s',
    async (_, { options = {}, image = honest, lay, code, words, mount }) => {
      const registry = await startOciRegistry(options);
      registry.push(image);
      const top = lay?.(registry, image) ?? image.index;
      const { ports } = await place();
      let started = 0;
      const start = async (): Promise<never> => {
        started++;
        throw new Error('it was started');
      };
      const source = `oci:${registry.host}/acme/shell@${top.digest}`;
      const { permissions } = requestFor().submission;
      const mounts = mount === undefined ? [] : [{ target: mount, mode: 'rw' as const }];
      const request = requestFor({ source, version: '1.0.0', permissions: { ...permissions, mounts } });
      const refusal = await refusalOf(scan(request, { ...ports, driver: { ...ports.driver, start } }));
      expect([refusal.code, refusal.message]).toEqual([code, expect.stringMatching(new RegExp(words))]);
      expect(started).toBe(0);
    },
  );
});

describe('signing in', () => {
  const pair = 'ann:se:cret';
  const auth = Buffer.from(pair).toString('base64');

  it.each(['basic', 'bearer'] as const)(
    'by %s, as docker login left it; storage is never shown it',
    async (scheme) => {
      const elsewhere = await startOciRegistry();
      const registry = await startOciRegistry({
        login: { scheme, pair },
        moved: (digest) => `http://${elsewhere.host}/elsewhere/${digest}`,
      });
      for (const one of [registry, elsewhere]) one.push(honest);
      const { ports, dir } = await place();
      await mkdir(join(dir, '.docker'));
      await writeFile(
        join(dir, '.docker/config.json'),
        JSON.stringify({ auths: { [registry.host]: { auth } } }),
      );
      const ref = ociRefOf(`oci:${registry.host}/acme/shell@${honest.index.digest}`);
      const { closure, manifest } = await resolveImage(ref, await ociOptionsOf({ HOME: dir }), ports);
      expect(closure.artifacts).toHaveLength(4);
      expect(manifest).toBe(honest.manifest.digest);
      expect(elsewhere.requests.map((line) => line.split(' ').at(-1))).toEqual(['-', '-']);
      const tokens = registry.requests.filter((line) => line.startsWith('/token'));
      const scope = `scope=${encodeURIComponent('repository:acme/shell:pull')} `;
      expect(tokens.every((line) => line.includes(scope) && line.endsWith(` Basic ${auth}`))).toBe(true);
      expect(tokens).toHaveLength(scheme === 'bearer' ? 1 : 0);
    },
  );

  it('asks the credential helper that the configuration names, and tells nobody else', async () => {
    const { dir } = await place();
    const helper =
      '#!/bin/sh\nread -r host\n[ "$host" = a.example ] && printf \'{"Username":"ann","Secret":"s"}\' && exit 0\necho "credentials not found in native keychain"; exit 1\n';
    await writeFile(join(dir, 'docker-credential-here'), helper, { mode: 0o755 });
    await writeFile(
      join(dir, 'config.json'),
      JSON.stringify({ credsStore: 'here', auths: { 'b.example': { auth } } }),
    );
    const { loginFor } = await ociOptionsOf({ DOCKER_CONFIG: dir, PATH: `${dir}:/usr/bin:/bin` });
    expect(await loginFor('a.example')).toEqual({ username: 'ann', password: 's' });
    expect(await loginFor('c.example')).toBe(null);
    await writeFile(join(dir, 'config.json'), JSON.stringify({ credHelpers: { 'a.example': 'gone' } }));
    const gone = await ociOptionsOf({ DOCKER_CONFIG: dir, PATH: dir });
    expect(await refusalOf(gone.loginFor('a.example'))).toMatchObject({
      code: 'CONFIG_INVALID',
      found: 'ENOENT',
    });
    const plain = await ociOptionsOf({ DOCKER_CONFIG: join(dir, 'none'), PATH: '' });
    expect(await plain.loginFor('a.example')).toBe(null);
  });

  it.each([
    ['no JSON', '{', 'as docker login writes it'],
    [
      'a login of another form',
      JSON.stringify({ auths: { 'a.example': { auth: 'bm9jb2xvbg==' } } }),
      'another form',
    ],
  ])('refuses a configuration with %s, and does not repeat it', async (_, text, words) => {
    const { dir } = await place();
    await writeFile(join(dir, 'config.json'), text);
    const refusal = await refusalOf(
      ociOptionsOf({ DOCKER_CONFIG: dir }).then(({ loginFor }) => loginFor('a.example')),
    );
    expect(refusal).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(refusal.message).toContain(words);
    expect(refusal.message).not.toContain('nocolon');
  });
});

describe('the name of an image', () => {
  it.each([
    ['oci:ghcr.io/acme/server:1.2.0', { host: 'ghcr.io', repository: 'acme/server', tag: '1.2.0' }],
    ['oci:localhost/a__b/c-d:x', { host: 'localhost', repository: 'a__b/c-d', tag: 'x' }],
    ['oci:registry:5000/a:latest', { host: 'registry:5000', repository: 'a', tag: 'latest' }],
    ['oci:node:20', null],
    ['oci:library/node:20', null],
    ['oci:ghcr.io/Acme/server:1', null],
    ['oci:ghcr.io/acme/server', null],
    ['oci:ghcr.io/../server:1', null],
    ['oci:ghcr.io/acme/server@sha256:abc', null],
    ['oci:user@ghcr.io/acme/server:1', null],
  ])('%s', (source, parsed) => {
    expect(parsedOci(source)).toEqual(parsed);
  });

  it('means the digest that its tag has when it is submitted, and has that tag for its version', async () => {
    const registry = await startOciRegistry();
    registry.push(honest, 'v1.4.0');
    const options = await ociOptionsOf({ DOCKER_CONFIG: '/nowhere' });
    const resolve: ResolveTag = (tag) => resolveTag(tag, options);
    const submission = await submissionOf(`oci:${registry.host}/acme/shell:v1.4.0`, {}, resolve);
    expect(submission).toMatchObject({
      version: '1.4.0',
      source: `oci:${registry.host}/acme/shell@${honest.index.digest}`,
      name: '1.0.0.127.acme/shell',
    });
    const refusals = [
      submissionOf(`oci:${registry.host}/acme/shell:latest`, {}, resolve),
      submissionOf(submission.source, {}, resolve),
      submissionOf(`oci:${registry.host}/acme/shell:1.0.0`, {}, resolve),
      submissionOf('oci:node:20', {}, resolve),
    ].map((one) => refusalOf(one).then(({ code }) => code));
    expect(await Promise.all(refusals)).toEqual(['USAGE', 'USAGE', 'SOURCE_INVALID', 'SOURCE_INVALID']);
    expect((await submissionOf(submission.source, { release: '2.0.0' }, resolve)).version).toBe('2.0.0');
  });
});
