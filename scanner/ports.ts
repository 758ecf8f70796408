/** What a scan needs from the world, and what passes between its steps. */
import type { IsolationDriver } from '../runtime/ports.ts';
import type { Blobs } from '../runtime/store/blobs.ts';
import type { UnpackedFile } from '../runtime/store/unpack.ts';
import type { Affecting } from '../schemas/advisory.ts';
import type { JsonObject } from '../schemas/common.ts';
import type { Report } from '../schemas/finding.ts';
import type { Policy } from '../schemas/policy.ts';
import type { Closure, Launch, LocalLaunch, Permissions, Submission } from '../schemas/release.ts';
import type { Surface } from '../schemas/surface.ts';
import type { PypiOptions } from './pypi/options.ts';

/** Options of the npm client, such as its registry and credentials. Empty: its library's own defaults. */
export type NpmOptions = Readonly<Record<string, unknown>>;

/** Facts of one package version as its package registry tells them. Absent is absent, never guessed. */
export interface Upstream {
  readonly publishedAt: string | null;
  readonly maintainers: readonly string[] | null;
  /** Who published this version. */
  readonly publisher: string | null;
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
}

export interface ScanPorts {
  readonly blobs: Blobs;
  readonly driver: IsolationDriver;
  /** Folder for temporary trees; every user may traverse it. */
  readonly workDir: string;
  readonly npm: NpmOptions;
  /** Asked when a release comes from a Python package index. */
  readonly pypi?: () => Promise<PypiOptions>;
  readonly now: () => Date;
  readonly progress: (step: string) => void;
  /** Milliseconds that a server has for each answer while it is observed; 30,000 unless told. */
  readonly answerMs?: number;
  /** Milliseconds for resolving all dependencies; 180,000 unless told. */
  readonly resolveMs?: number;
}

/** The last approved release of the same server, as evidence to compare with. */
export interface Baseline {
  readonly version: string;
  readonly closure: Closure;
  readonly surface: Surface;
  readonly maintainers: readonly string[] | null;
  readonly permissions: Permissions;
  readonly launch: Launch;
}

/** What is publicly known against the packages of a closure, and how new that knowledge is; null when none was ever loaded. */
export interface KnownAdvisories {
  readonly newest: string | null;
  readonly affecting: readonly Affecting[];
}

export interface ScanRequest {
  readonly submission: Submission;
  readonly policy: Policy;
  readonly trial: boolean;
  readonly baseline: Baseline | null;
  /** Asked once the closure is resolved; absent where nobody has advisories. */
  readonly advisories?: (closure: Closure) => Promise<KnownAdvisories>;
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
}
