/** A project whose lock carries two servers that run here, one that runs elsewhere, and a policy: as people have them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openHome } from '../../cli/home.ts';
import { spkiOf } from '../../runtime/remote/tls.ts';
import { type Blobs, openBlobs } from '../../runtime/store/blobs.ts';
import { sha256 } from '../../schemas/json.ts';
import { closureDigest, type Launch } from '../../schemas/release.ts';
import { REMOTE_LOCATION, type RemoteLaunch, remoteDigest, remoteDocument } from '../../schemas/remote.ts';
import { pinSurface, type Surface } from '../../schemas/surface.ts';
import { certify, makeAuthority } from '../../test/helpers/certificates.ts';
import { capture, SCRIPTED } from '../../test/helpers/session.ts';
import { makeEntry, pin } from '../../test/helpers/trust.ts';
import { lockOf, type Unapproved } from '../locked.ts';
import { artifactOf, type Packed, packInstalled, packServer } from './packages.ts';
import { ECHO_TOOL, INFO } from './words.ts';

/** A server on the SDK, both eras over stdio. */
export const SDK_SERVER = join(import.meta.dirname, 'sdk-server.mjs');
const UPSTREAM = join(import.meta.dirname, 'upstream.ts');
const REGISTRY = 'http://127.0.0.1:1';
const LIMITS = { memoryMiB: 512, cpus: 1, pids: 64, tmpMiB: 8 };

/** A few lines of every kind; one looks at the arguments of each call. */
const POLICY = `team interns = ada@example.com
team admins = as signed in

anyone: all locked tools
interns: no write tools
anyone: no tools of the here server, where paths are below /etc or /root
anyone: no tools of the sdk server, where paths are below /etc or /root
anyone: no tools of the elsewhere server, where paths are below /etc or /root
admins: ask one person before destructive tools
`;

export interface World {
  readonly dir: string;
  readonly project: string;
  readonly home: string;
  /** The hand-written server over HTTP, without TLS. */
  readonly upstream: string;
  readonly processes: ChildProcess[];
}

/** Makes it below `dir`, which the sandbox's user can reach. */
export async function makeWorld(dir: string): Promise<World> {
  const [home, project] = [join(dir, 'home'), join(dir, 'project')];
  for (const folder of [home, project, join(home, 'store')]) mkdirSync(folder, { mode: 0o755 });
  const blobs = await openBlobs(join(home, 'store/blobs'));
  const remote = await startUpstream(dir);
  const entries = {
    here: await hereEntry(blobs, {
      name: 'here',
      script: SCRIPTED,
      packages: [packServer('here', SCRIPTED)],
    }),
    sdk: await hereEntry(blobs, { name: 'sdk', script: SDK_SERVER, packages: sdkPackages() }),
    elsewhere: await elsewhereEntry(blobs, remote.launch),
  };
  writeFileSync(
    join(project, 'mcp.lock'),
    lockOf(entries, { registry: REGISTRY, policy: { text: POLICY, digest: sha256(POLICY) } }),
  );
  const intent = {
    lockkeeper: 'intent/v1',
    project: 'acme/app',
    environment: 'development',
    registry: REGISTRY,
    trust: pin,
    servers: Object.fromEntries(Object.entries(entries).map(([alias, { request }]) => [alias, request])),
  };
  writeFileSync(join(project, 'lockkeeper.json'), JSON.stringify(intent));
  const limits = { sessions: 20_000, sessionsEach: 20_000, waitingEach: 256 };
  writeFileSync(
    join(project, 'lockkeeper.gateway.json'),
    JSON.stringify({ lockkeeper: 'gateway/v1', limits }),
  );
  await openHome(home).pin({ registry: REGISTRY, ...pin });
  return { dir, project, home, upstream: remote.url, processes: [remote.child] };
}

async function startUpstream(
  dir: string,
): Promise<{ child: ChildProcess; url: string; launch: RemoteLaunch }> {
  const authority = makeAuthority(dir, 'authority');
  const { cert } = certify(authority, { name: 'localhost', san: 'DNS:localhost', usage: 'serverAuth' });
  const child = spawn(process.execPath, [UPSTREAM, join(dir, 'localhost.key'), join(dir, 'localhost.pem')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const ports = JSON.parse(said.toString()) as { plain: number; tls: number };
  const tls = { leaf: [spkiOf(new X509Certificate(cert))], issuer: [], ca: authority.cert };
  const url = `https://localhost:${ports.tls}/mcp`;
  const launch: RemoteLaunch = { transport: 'streamable-http', url, reach: 'private', tls };
  return { child, url: `http://127.0.0.1:${ports.plain}/mcp`, launch };
}

interface Part {
  readonly name: string;
  readonly launch: Launch;
  readonly surface: Surface;
  /** The server's own is the first. */
  readonly packages: readonly Packed[];
  /** Of the server's own, where it is no package. */
  readonly location?: string;
}

async function locked(
  blobs: Blobs,
  { name, launch, surface, packages, location }: Part,
): Promise<Unapproved> {
  const text = Buffer.from(JSON.stringify(surface));
  await blobs.put(text);
  for (const { bytes } of packages) await blobs.put(bytes);
  const artifacts = packages.map((one) => artifactOf(one, location));
  return {
    ...makeEntry(),
    server: `acme.tools/${name}`,
    request: { server: `acme.tools/${name}`, range: '*' },
    closure: { digest: closureDigest(artifacts), artifacts },
    surface: pinSurface(surface),
    surfaceText: sha256(text),
    launch,
    permissions: { egress: [], env: [], mounts: [], limits: LIMITS },
  };
}

const sdkPackages = (): Packed[] => [
  packServer('sdk', SDK_SERVER),
  ...['@modelcontextprotocol/server', '@modelcontextprotocol/core', 'zod'].map(packInstalled),
];

async function hereEntry(
  blobs: Blobs,
  { name, packages, script }: Pick<Part, 'name' | 'packages'> & { readonly script: string },
): Promise<Unapproved> {
  const captured = await capture([script]);
  const surface: Surface = {
    ...captured,
    capture: { ...captured.capture, eras: ['session', 'stateless'] },
  };
  const command = ['node', `/app/node_modules/${name}/index.mjs`];
  return locked(blobs, {
    name,
    launch: { transport: 'stdio', command, projectArgs: false },
    surface,
    packages,
  });
}

async function elsewhereEntry(blobs: Blobs, launch: RemoteLaunch): Promise<Unapproved> {
  const surface: Surface = {
    capture: { protocolVersion: '2025-11-25', eras: ['session', 'stateless'], clientCapabilities: {} },
    serverInfo: INFO,
    capabilities: { tools: {} },
    instructions: null,
    tools: { echo: ECHO_TOOL },
    prompts: {},
    resources: {},
    resourceTemplates: {},
    volatile: [],
  };
  const packages = [{ name: 'elsewhere', bytes: remoteDocument(launch, surface.capture.eras) }];
  const base = await locked(blobs, {
    name: 'elsewhere',
    launch,
    surface,
    packages,
    location: REMOTE_LOCATION,
  });
  if (base.closure.artifacts[0]?.sha256 !== remoteDigest(launch, surface.capture.eras))
    throw new Error('the document of a remote server has another digest than its launch');
  return base;
}
