/** What a scan needs from the world, and what passes between its steps. */
import type { IsolationDriver } from '../runtime/ports.ts';
import type { Blobs } from '../runtime/store/blobs.ts';
import type { UnpackedFile } from '../runtime/store/unpack.ts';
import type { Affecting } from '../schemas/advisory.ts';
import type { JsonObject } from '../schemas/common.ts';
import type { Report } from '../schemas/finding.ts';
import type { Origin, Publisher } from '../schemas/origin.ts';
import type { Policy } from '../schemas/policy.ts';
import type { Closure, Launch, LocalLaunch, Permissions, Submission } from '../schemas/release.ts';
import type { Surface } from '../schemas/surface.ts';
import type { ScanCredentialsFor } from './credentials.ts';
import type { GitFacts } from './git/source.ts';
import type { Github } from './github/client.ts';
import type { Named } from './installed/package.ts';
import type { BundleFacts } from './mcpb/source.ts';
import type { OciOptions } from './oci/options.ts';
import type { ImageFacts } from './oci/source.ts';
import type { ClaimedRepository } from './provenance/claimed.ts';
import type { Attested } from './provenance/standing.ts';
import type { TrustFiles } from './provenance/trust.ts';
import type { PypiOptions } from './pypi/options.ts';

/** Options of the npm client, such as its registry and credentials. Empty: its library's own defaults. */
export type NpmOptions = Readonly<Record<string, unknown>>;

/** One version as its registry lists it among the others. All of it is the registry's unsigned word. */
export interface PublishedVersion {
  readonly version: string;
  readonly at: string | null;
  readonly publisher: Publisher | null;
  /** Whether a registry signature, and whether provenance, is told of. */
  readonly signed: boolean;
  readonly attested: boolean;
}

/** Facts of one package version as its package registry tells them. Absent is absent, never guessed. */
export interface Upstream {
  readonly publishedAt: string | null;
  readonly maintainers: readonly string[] | null;
  /** Who published this version. */
  readonly publisher: Publisher | null;
  /** All versions there are, in the registry's order; null where it does not tell of others. */
  readonly history: readonly PublishedVersion[] | null;
  /** The part of the registry's answer that these were read from; evidence. */
  readonly slice: JsonObject;
}

/** A package that was resolved: every byte of it, how it is started, and what its registry tells. */
export interface PackageSource {
  readonly closure: Closure;
  /** Purls whose registry promised no digest. */
  readonly unpromised: readonly string[];
  readonly rootPurl: string;
  /** From the package's own files. */
  readonly launch: (files: readonly UnpackedFile[]) => LocalLaunch;
  readonly upstream: () => Promise<Upstream>;
  /** What is signed of the package itself, verified. */
  readonly attested: (known: Known) => Promise<Attestations>;
  /** Of a server that is an image, and only there. */
  readonly image?: ImageFacts;
  /** Of a server that is an MCP bundle, and only there. */
  readonly bundle?: BundleFacts;
  /** Of a server out of a git repository, and only there. */
  readonly git?: GitFacts;
}

/** What a package's signatures are verified against. */
export interface Known {
  readonly upstream: Upstream | string;
  /** The package's own archive and the files in it. */
  readonly archive: Buffer;
  readonly files: readonly UnpackedFile[];
  readonly trust: TrustFiles | string;
}

export interface Attestations {
  readonly attested: Attested;
  readonly claimed: readonly ClaimedRepository[];
  /** The answer that it was read from, as it came. */
  readonly answer: Uint8Array | null;
}

export interface ScanPorts {
  readonly blobs: Blobs;
  readonly driver: IsolationDriver;
  /** Folder for temporary trees; every user may traverse it. */
  readonly workDir: string;
  /** Folder where what was read of a package's code is kept by its digest; one in `workDir` unless told. */
  readonly codeDir?: string;
  readonly npm: NpmOptions;
  /** Asked when a release comes from a Python package index. */
  readonly pypi?: () => Promise<PypiOptions>;
  /** Null where it is not to be asked. */
  readonly github?: Github | null;
  /** What is shown to servers that run elsewhere; absent: nothing. */
  readonly credentials?: ScanCredentialsFor;
  /** Trust files that root.json pins; absent where there is no root. */
  readonly trust?: () => Promise<TrustFiles>;
  /** Asked when a release is an image of a container registry. */
  readonly oci?: () => Promise<OciOptions>;
  /** Of proxies, for what is fetched from an address; absent: none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  readonly progress: (step: string) => void;
  /** Milliseconds that a server has for each answer while it is observed; 30,000 unless told. */
  readonly answerMs?: number;
  /** Milliseconds for resolving all dependencies; 180,000 unless told. */
  readonly resolveMs?: number;
  /** Milliseconds for building one wheel once; 180,000 unless told. */
  readonly buildMs?: number;
}

/** The last approved release of the same server, as evidence to compare with. */
export interface Baseline {
  readonly version: string;
  readonly closure: Closure;
  readonly surface: Surface;
  readonly maintainers: readonly string[] | null;
  readonly permissions: Permissions;
  readonly launch: Launch;
  /** Null where its scan did not look. */
  readonly origin: Origin | null;
  /** By purl, null where none could be read; absent where its scan did not look. */
  readonly licences?: ReadonlyMap<string, string | null>;
}

/** Another server, as far as a text may imitate it or speak about it. */
export interface Peer {
  readonly server: string;
  readonly tools: Surface['tools'];
}

/** What is publicly known against packages, and how new that knowledge is; null when none was ever loaded. */
export interface KnownAdvisories {
  readonly newest: string | null;
  readonly affecting: readonly Affecting[];
  /** Ecosystems of these packages of which nothing was ever loaded, such as `PyPI` or `Debian`. */
  readonly missing: readonly string[];
  /** Records about these packages that could not be read; absent for none. */
  readonly unread?: readonly string[];
}

export interface ScanRequest {
  readonly submission: Submission;
  readonly policy: Policy;
  readonly trial: boolean;
  readonly baseline: Baseline | null;
  /** Asked once it is known what is installed; a string says why nothing is known. Absent where nobody has advisories. */
  readonly advisories?: (packages: readonly Named[]) => Promise<KnownAdvisories | string>;
  /** Servers that stand beside it, or whom to ask for them once it was observed; absent where nobody knows. */
  readonly peers?: readonly Peer[] | (() => Promise<readonly Peer[]>);
}

export interface ScanResult {
  readonly closure: Closure;
  readonly launch: Launch;
  readonly surface: Surface;
  readonly report: Report;
  readonly maintainers: readonly string[] | null;
  /** Digest of the surface's pins, as approvals and locks name it. */
  readonly surfaceDigest: string;
  /** Blob with the surface's canonical JSON. */
  readonly surfaceText: string;
  /** Blob with the report's canonical JSON. */
  readonly reportDigest: string;
  /** Every package that was found. */
  readonly packages: readonly Named[];
  /** Their licences, as a later release's scan compares with them. */
  readonly licences: ReadonlyMap<string, string | null>;
}
