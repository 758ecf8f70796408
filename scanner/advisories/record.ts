/** One record in the OSV format, read as strictly as it has to be: what it is, and which versions of what it is about. */
import semver from 'semver';
import { AdvisoryId, type AdvisoryKind } from '../../schemas/advisory.ts';
import { quote, refusing } from '../../schemas/errors.ts';
import type { Severity } from '../../schemas/finding.ts';
import { parseStrict } from '../../schemas/json.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import { alpineOrder, debianOrder, npmOrder, type Order } from './order.ts';
import { rpmOrder } from './rpm-order.ts';

/** Whose records are kept, as the format spells them. Distributions have one ecosystem for each of their releases. */
export const FAMILIES = ['npm', 'PyPI', 'Debian', 'Alpine', 'Red Hat', 'Rocky Linux', 'AlmaLinux'] as const;
export type Family = (typeof FAMILIES)[number];

const RELEASES: Readonly<Record<Family, RegExp>> = {
  npm: /^npm$/,
  PyPI: /^PyPI$/,
  Debian: /^Debian:\d{1,4}$/,
  Alpine: /^Alpine:v\d{1,4}\.\d{1,4}$/,
  'Red Hat': /^Red Hat:\d{1,4}$/,
  'Rocky Linux': /^Rocky Linux:\d{1,4}$/,
  AlmaLinux: /^AlmaLinux:\d{1,4}$/,
};

/** PyPI's is its own. */
export const ORDERS: Readonly<Partial<Record<Family, Order>>> = {
  npm: npmOrder,
  Debian: debianOrder,
  Alpine: alpineOrder,
  'Red Hat': rpmOrder,
  'Rocky Linux': rpmOrder,
  AlmaLinux: rpmOrder,
};

/** Null for an ecosystem whose records are not kept. */
export function familyOf(ecosystem: string): Family | null {
  return FAMILIES.find((family) => RELEASES[family].test(ecosystem)) ?? null;
}

/**
 * As packages are looked up. Red Hat's names every stream and repository of a release: the plain releases are kept, under
 * their major one, as an image has packages of all repositories.
 */
export function ecosystemIn(ecosystem: string): string {
  return ecosystem.replace(/^Red Hat:enterprise_linux:(\d{1,4})(?:\.\d{1,4})?(?:::.*)?$/, 'Red Hat:$1');
}

/** Families of packages; of one whose records are not kept, its own name, so that it is missed. */
export function familiesOf(packages: readonly { readonly ecosystem: string }[]): string[] {
  return [...new Set(packages.map(({ ecosystem }) => ecosystem.split(':')[0] ?? ecosystem))].sort();
}

/** Bytes of one record. */
export const MAX_RECORD_BYTES = 4 * 1024 * 1024;

const Text = Type.String({ maxLength: 400 });
const Event = Type.Object({
  introduced: Type.Optional(Text),
  fixed: Type.Optional(Text),
  last_affected: Type.Optional(Text),
  limit: Type.Optional(Text),
});
/** The parts that are read. The format grows by new fields, so those are let pass: the record is kept byte for byte. */
const Osv = Type.Object({
  id: AdvisoryId,
  modified: Text,
  withdrawn: Type.Optional(Type.Union([Type.Null(), Text])),
  summary: Type.Optional(Type.Union([Type.Null(), Type.String()])),
  details: Type.Optional(Type.Union([Type.Null(), Type.String()])),
  affected: Type.Optional(
    Type.Union([
      Type.Null(),
      Type.Array(
        Type.Object({
          package: Type.Optional(
            Type.Object({ ecosystem: Text, name: Type.String({ minLength: 1, maxLength: 400 }) }),
          ),
          versions: Type.Optional(Type.Union([Type.Null(), Type.Array(Text, { maxItems: 50_000 })])),
          ranges: Type.Optional(
            Type.Union([
              Type.Null(),
              Type.Array(Type.Object({ type: Text, events: Type.Array(Event, { maxItems: 10_000 }) }), {
                maxItems: 10_000,
              }),
            ]),
          ),
        }),
        { maxItems: 10_000 },
      ),
    ]),
  ),
  database_specific: Type.Optional(Type.Unsafe<Readonly<Record<string, unknown>> | null>({})),
});

export type RangeEvent = Static<typeof Event>;
export interface Range {
  readonly events: readonly RangeEvent[];
}

/** Versions of one package: those that are listed, and those in ranges. */
export interface Affects {
  readonly ecosystem: string;
  readonly name: string;
  readonly versions: readonly string[];
  readonly ranges: readonly Range[];
}

export interface Advisory {
  readonly id: string;
  /** Normalised to milliseconds. */
  readonly modified: string;
  readonly kind: AdvisoryKind;
  readonly summary: string;
  /** Null where the record does not tell one. */
  readonly severity: Severity | null;
  readonly withdrawn: boolean;
  readonly affects: readonly Affects[];
  /** The record as it came. */
  readonly bytes: Buffer;
}

/** Throws JSON_INVALID or DOCUMENT_INVALID. Strings that databases refuse (NUL) are refused here. */
export function readAdvisory(bytes: Buffer): Advisory {
  const value = parseStrict(bytes, { maxBytes: MAX_RECORD_BYTES, maxDepth: 64 });
  const record = assertValid(Osv, value, 'an advisory in the OSV format');
  const { id, modified, withdrawn, summary, details, affected, database_specific: specific } = record;
  return {
    id,
    modified: instantOf(modified),
    kind: kindOf(id, specific ?? {}),
    summary: summaryOf(summary || details || 'no summary'),
    severity: severityOf(id, specific ?? {}),
    withdrawn: withdrawn !== undefined && withdrawn !== null,
    affects: (affected ?? []).flatMap((one) => affectsOf(one)),
    bytes,
  };
}

/** The instant in milliseconds; sources write up to nanoseconds. Throws DOCUMENT_INVALID. */
export function instantOf(text: string): string {
  const fits = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text);
  const time = fits ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(time)) return new Date(time).toISOString();
  throw invalid('an RFC 3339 instant in UTC', quote(text, 60));
}

const ORIGINS = 'malicious-packages-origins';

function kindOf(id: string, specific: Readonly<Record<string, unknown>>): AdvisoryKind {
  return id.startsWith('MAL-') || Array.isArray(specific[ORIGINS]) ? 'malware' : 'vulnerability';
}

const SEVERITIES: Readonly<Record<string, Severity>> = {
  CRITICAL: 'critical',
  HIGH: 'high',
  MODERATE: 'medium',
  MEDIUM: 'medium',
  LOW: 'low',
};

function severityOf(id: string, specific: Readonly<Record<string, unknown>>): Severity | null {
  if (kindOf(id, specific) === 'malware') return 'critical';
  const told = String(specific.severity ?? '').toUpperCase();
  return Object.hasOwn(SEVERITIES, told) ? (SEVERITIES[told] ?? null) : null;
}

/** One line of it, without what a terminal or a database would act on. */
function summaryOf(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\s]+/gu, ' ')
    .trim()
    .slice(0, 400)
    .toWellFormed();
}

type OsvAffected = NonNullable<Static<typeof Osv>['affected']>[number];

function affectsOf({ package: of, versions, ranges }: OsvAffected): Affects[] {
  const ecosystem = ecosystemIn(of?.ecosystem ?? '');
  const family = familyOf(ecosystem);
  if (!of || !family) return [];
  // Ranges of PyPI are in an order of its own, and its records list every version they are about.
  const read = family === 'PyPI' ? [] : (ranges ?? []).filter(({ type }) => type !== 'GIT');
  const found: Affects = {
    ecosystem,
    name: nameIn(ecosystem, of.name),
    versions: versions ?? [],
    ranges: read.map(({ events }) => ({ events: events.map((event) => comparable(event, family)) })),
  };
  if (`${found.name}${found.versions.join('')}`.includes('\u0000'))
    throw invalid('names and versions without NUL', 'one with it');
  return [found];
}

/** A package's name as it is looked up. */
export function nameIn(ecosystem: string, name: string): string {
  return ecosystem === 'PyPI' ? name.toLowerCase().replace(/[-_.]+/g, '-') : name;
}

/** Bounds that have a place in the order; `0` stands below every version, `*` above. Throws DOCUMENT_INVALID. */
function comparable(event: RangeEvent, family: Family): RangeEvent {
  return Object.fromEntries(
    Object.entries(event)
      .filter(([kind]) => kind in Event.properties)
      .map(([kind, bound]) => [kind, boundOf(String(bound), family)]),
  );
}

function boundOf(bound: string, family: Family): string {
  if (bound === '0' || bound === '*') return bound;
  if (family !== 'npm') {
    if (ORDERS[family]?.(bound, bound) !== null) return bound;
    throw invalid(`bounds of a range as versions of ${family}`, quote(bound, 60));
  }
  const padded = /^v?\d+(?:\.\d+)?$/.test(bound) ? `${bound}.0.0`.split('.').slice(0, 3).join('.') : bound;
  const version = semver.parse(padded, { loose: true });
  if (version) return version.version;
  throw invalid('bounds of a range as semver versions', quote(bound, 60));
}

const invalid = refusing('DOCUMENT_INVALID', 'Tell whoever publishes the advisory');
