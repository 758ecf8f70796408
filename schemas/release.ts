/** A release: one exact version of a server, from where it came to every byte it runs. */
import { Built } from './built.ts';
import {
  Closed,
  Digest,
  Environment,
  Instant,
  Person,
  Purl,
  SecretName,
  ServerName,
  Sha512,
  Version,
} from './common.ts';
import { FOLDER_LOCATION } from './folders.ts';
import { GitSource } from './git.ts';
import { digestOf } from './json.ts';
import { McpbSource } from './mcpb.ts';
import { IMAGE_LOCATION, ImageLaunch, OciSource } from './oci.ts';
import { PypiSource, PythonTarget, WHEEL_LOCATION } from './pypi.ts';
import { REMOTE_LOCATION, RemoteLaunch, RemoteUrl, RemoteWish } from './remote.ts';
import { type Static, Type } from './type.ts';

/** One package of the closure: where it stands in the tree and which bytes it is. */
export const Artifact = Closed({
  location: Type.String({
    pattern: `^(?:node_modules/(?:[^/]+/)*[^/]+|${WHEEL_LOCATION}|${IMAGE_LOCATION}|${FOLDER_LOCATION}|${REMOTE_LOCATION.replace('.', '\\.')})$`,
    description: `Folder below the materialised closure, as npm lays it out; wheels/FILE for a wheel; oci/… for a part of an image; bundle/… for a folder of an MCP bundle; source for the tree of a commit; ${REMOTE_LOCATION} for a remote server`,
  }),
  purl: Purl,
  sha256: Digest,
  sha512: Sha512,
  size: Type.Integer({ minimum: 1, description: 'bytes of the archive' }),
  optional: Type.Boolean({ description: 'may be left out where os or cpu do not fit' }),
  os: Type.Optional(Type.Array(Type.String())),
  cpu: Type.Optional(Type.Array(Type.String())),
  /** Of a wheel that no index has. */
  built: Type.Optional(Built),
});
export type Artifact = Static<typeof Artifact>;

export const Closure = Closed({
  digest: Digest,
  artifacts: Type.Array(Artifact, { minItems: 1, maxItems: 20_000 }),
});
export type Closure = Static<typeof Closure>;

/** The closure's identity: RFC 8785 over the artifacts in location order. */
export function closureDigest(artifacts: readonly Artifact[]): string {
  return digestOf([...artifacts].sort((a, b) => (a.location < b.location ? -1 : 1)));
}

const LaunchEnv = Type.Record(
  Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' }),
  Type.String({ pattern: '^[^\\u0000\\r\\n]*$', maxLength: 8192 }),
  { maxProperties: 100, additionalProperties: false },
);

export const LocalLaunch = Closed({
  transport: Type.Literal('stdio'),
  command: Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 200 }),
  /** Whether a project may append arguments of its own in lockkeeper.json. */
  projectArgs: Type.Boolean(),
  /** Variables that are always set, below those that a project may set and those of the sandbox itself. */
  env: Type.Optional(LaunchEnv),
  /** Of a server that runs on Python, and only there. */
  python: Type.Optional(PythonTarget),
  /** Of a server that is an image, and only there: its command is looked up in the image. */
  image: Type.Optional(ImageLaunch),
});
export type LocalLaunch = Static<typeof LocalLaunch>;

export const Launch = Type.Union([LocalLaunch, RemoteLaunch]);
export type Launch = Static<typeof Launch>;

/** Is it started on this machine? Otherwise it runs elsewhere and is connected to. */
export function isLocal(launch: Launch): launch is LocalLaunch {
  return launch.transport === 'stdio';
}

/** May a project append arguments of its own? To a remote server nobody can. */
export function takesArgs(launch: Launch): boolean {
  return isLocal(launch) && launch.projectArgs;
}

const MountMode = Type.Union([Type.Literal('ro'), Type.Literal('rw')]);
/** Folders that the sandbox itself needs: a project's folder over one of them would be run, or hide what protects. */
const RESERVED = 'app|bin|boot|dev|etc|lib|lib32|lib64|libx32|lockkeeper|proc|root|run|sbin|sys|tmp|usr|var';
const SandboxPath = Type.String({
  pattern: `^/(?!(?:${RESERVED})(?:/|$))(?:(?!\\.{1,2}/)[A-Za-z0-9._-]+/)*(?!\\.{1,2}$)[A-Za-z0-9._-]+$`,
  maxLength: 255,
  description: `a path inside the sandbox such as /data, not below /${RESERVED.split('|').join(', /')}`,
});

/** What an answer or a call of a tool carries: text of strangers, data of one's own, something to the outside. */
export const ToolLabel = Type.Union([
  Type.Literal('reads-untrusted'),
  Type.Literal('reads-private'),
  Type.Literal('sends-out'),
]);
export type ToolLabel = Static<typeof ToolLabel>;

/** By tool. A tool that is not named was not labelled; an empty list says that it does none of it. */
export const ToolLabels = Type.Record(
  Type.String({ pattern: '^[^\\u0000-\\u001f]{1,256}$' }),
  Type.Array(ToolLabel, { maxItems: 3, uniqueItems: true }),
  { maxProperties: 2000, additionalProperties: false },
);
export type ToolLabels = Static<typeof ToolLabels>;

/** What a release may touch. Empty lists mean none. */
export const Permissions = Closed({
  egress: Type.Array(
    Type.String({
      pattern: '^(?:\\*\\.)?[a-z0-9-]+(?:\\.[a-z0-9-]+)*:[0-9]{1,5}$',
      description: 'host:port or *.suffix:port, in small letters',
    }),
    {
      description: 'host:port or *.suffix:port',
      maxItems: 100,
    },
  ),
  mounts: Type.Array(Closed({ target: SandboxPath, mode: MountMode }), { maxItems: 32 }),
  env: Type.Array(
    Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$', description: 'the name of a variable' }),
    {
      description: 'names of variables a project may set',
      maxItems: 100,
    },
  ),
  /** Names of secrets that a project may give it, each as a file. None, where nothing is said. */
  secrets: Type.Optional(
    Type.Array(SecretName, {
      description: 'names of secrets a project may give, each as a file',
      maxItems: 32,
      uniqueItems: true,
    }),
  ),
  limits: Closed({
    memoryMiB: Type.Integer({ minimum: 64, maximum: 65_536 }),
    cpus: Type.Number({ minimum: 0.05, maximum: 64 }),
    pids: Type.Integer({ minimum: 8, maximum: 4096 }),
    tmpMiB: Type.Integer({ minimum: 1, maximum: 4096 }),
  }),
  /** What a policy tells toxic flows by; reviewed like the rest. */
  labels: Type.Optional(ToolLabels),
});
export type Permissions = Static<typeof Permissions>;

export const DEFAULT_LIMITS: Permissions['limits'] = { memoryMiB: 1024, cpus: 1, pids: 128, tmpMiB: 64 };

export const ReleaseState = Type.Union([
  Type.Literal('submitted'),
  Type.Literal('scanning'),
  Type.Literal('in_review'),
  Type.Literal('approved'),
  Type.Literal('rejected'),
  Type.Literal('deprecated'),
  Type.Literal('revoked'),
]);
export type ReleaseState = Static<typeof ReleaseState>;

const NpmSource = Type.String({
  pattern: '^npm:(?:@[a-z0-9._~-]+/)?[a-z0-9._~-]+@[0-9]+[.][0-9]+[.][0-9]+(?:[-+][0-9A-Za-z.+-]+)?$',
  description: 'npm:NAME@VERSION with one exact version',
  maxLength: 400,
});

/** What a publisher asks for: `source` is `npm:` or `pypi:` with `<name>@<exact version>`, `oci:` or `mcpb:` with a digest, `git:` with a commit, or the address of a remote server. */
export const Submission = Closed({
  name: ServerName,
  version: Version,
  source: Type.Union([NpmSource, PypiSource, OciSource, McpbSource, GitSource, RemoteUrl]),
  description: Type.String({ minLength: 1, maxLength: 100 }),
  args: Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 64 }),
  projectArgs: Type.Boolean(),
  permissions: Permissions,
  /** For a remote server, and only there. */
  remote: Type.Optional(RemoteWish),
  /** For an MCP bundle, and only there: what its manifest would have a person asked for, by key. No secrets: the lock has them. */
  config: Type.Optional(
    Type.Record(
      Type.String({ pattern: '^[A-Za-z0-9_.-]{1,100}$' }),
      Type.Array(Type.String({ maxLength: 4096 }), { minItems: 1, maxItems: 64 }),
      { maxProperties: 64, additionalProperties: false },
    ),
  ),
});
export type Submission = Static<typeof Submission>;

/** A release as the registry tells it. What a scan has not filled in yet is null. */
export const Release = Closed({
  id: Type.Integer({ minimum: 1 }),
  name: ServerName,
  version: Version,
  purl: Purl,
  source: Type.String(),
  description: Type.String(),
  state: ReleaseState,
  /** Why the release is in this state, when it is a refusal. */
  reason: Type.Union([Type.Null(), Type.String()]),
  requestedBy: Person,
  submittedAt: Instant,
  changedAt: Instant,
  permissions: Permissions,
  launch: Type.Union([Type.Null(), Launch]),
  closure: Type.Union([Type.Null(), Closure]),
  surfaceDigest: Type.Union([Type.Null(), Digest]),
  reportDigest: Type.Union([Type.Null(), Digest]),
  /** The package this server came from before, when this release comes from another one. */
  formerPackage: Type.Union([Type.Null(), Type.String()]),
  /** When approvals end so that some environment has too few; null when no environment has enough of them now. */
  reviewBy: Type.Union([Type.Null(), Instant]),
  /** When its approvals stopped sufficing, the last time that they did. */
  lapsedAt: Type.Union([Type.Null(), Instant]),
  /** Approvals given so far, oldest first: as their statements say, by the digest of their envelopes. */
  approvals: Type.Array(
    Closed({
      digest: Digest,
      person: Person,
      environments: Type.Array(Environment),
      accepts: Type.Record(Type.String(), Type.String()),
      expires: Instant,
      /** The version that the reviewer read the difference from; null for the whole release. */
      deltaFrom: Type.Union([Type.Null(), Version]),
    }),
  ),
});
export type Release = Static<typeof Release>;
