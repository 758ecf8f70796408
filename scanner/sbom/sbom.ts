/** The bill of materials of a scan, in CycloneDX 1.6. The same packages give the same bytes: there is no time in it. */
import type { BuildPart, Built } from '../../schemas/built.ts';
import { canonical, sha256 } from '../../schemas/json.ts';
import { isImagePart } from '../../schemas/oci.ts';
import type { Artifact, Closure, Submission } from '../../schemas/release.ts';
import { REMOTE_LOCATION } from '../../schemas/remote.ts';
import type { InstalledReport, LicenceCount, Sbom, SbomComponent } from '../../schemas/sbom.ts';
import { namedTool, toolsOf } from '../installed/built.ts';
import type { Installed, InstalledPackage } from '../installed/package.ts';

const TOOL = { type: 'application', name: 'lockkeeper', version: '1' } as const;
const MAX_LICENCES = 1000;

export interface Described {
  readonly submission: Pick<Submission, 'name' | 'version' | 'source'>;
  readonly closure: Closure;
  readonly rootPurl: string;
  readonly installed: Installed;
}

/** Pure. */
export function sbomOf(described: Described): Sbom {
  const { submission, closure, rootPurl, installed } = described;
  // A copy of the server below itself stands deeper.
  const [root] = installed.packages
    .filter(({ purl, digests }) => purl === rootPurl && digests !== null)
    .sort((a, b) => a.at.length - b.at.length);
  const origins = new Map(closure.artifacts.map(({ location, built }) => [location, built]));
  const made = (one: InstalledPackage, type: 'library' | 'application'): SbomComponent => {
    return { ...componentOf(one, type), ...originOf(one, origins.get(one.at)) };
  };
  const top = root ? made(root, 'application') : topOf(described);
  const others = installed.packages.filter((one) => one !== root);
  const document: Omit<Sbom, 'serialNumber'> = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      tools: { components: [TOOL] },
      component: top,
      properties: [
        property('closure', closure.digest),
        property('server', submission.name),
        property('source', submission.source),
        property('version', submission.version),
        ...installed.gaps.map((gap) => property('gap', gap)),
      ],
    },
    components: [...others.map((one) => made(one, 'library')), ...toolsOf(closure).map(toolComponent)],
    dependencies: root
      ? installed.packages.flatMap(needsOf)
      : [topNeeds(top, others), ...others.flatMap(needsOf)],
    compositions: [{ aggregate: aggregateOf(described), assemblies: [top['bom-ref']] }],
  };
  return { ...document, serialNumber: serialOf(document) };
}

/** The bytes that are stored and given out: RFC 8785, so that their digest is the evidence's. */
export function sbomBytes(sbom: Sbom): Buffer {
  return Buffer.from(canonical(sbom));
}

function property(name: string, value: string): { name: string; value: string } {
  return { name: `lockkeeper:${name}`, value };
}

function componentOf(one: InstalledPackage, type: 'library' | 'application'): SbomComponent {
  const { at, purl, licence, digests, unpacked } = one;
  const { name, version } = one.shown ?? one;
  const [, group, rest = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  const { expression, said, from } = licence;
  const acknowledgement = 'declared';
  const licenses =
    expression !== null
      ? [{ expression, acknowledgement: from === 'text' ? 'concluded' : acknowledgement } as const]
      : said !== null && said !== ''
        ? [{ license: { name: said, acknowledgement } } as const]
        : [];
  return {
    ...{ type, 'bom-ref': at, name: rest, version, purl },
    ...(group === undefined ? {} : { group }),
    ...(digests === null ? {} : { hashes: hashesOf(digests) }),
    ...(licenses.length === 0 ? {} : { licenses }),
    evidence: { occurrences: [{ location: at }] },
    ...(unpacked === null
      ? {}
      : {
          properties: [
            property('unpacked-bytes', String(unpacked.bytes)),
            property('unpacked-files', String(unpacked.files)),
          ],
        }),
  };
}

/** Of a wheel that was built here, the source archive that it was built from. */
function originOf(
  { name, version }: InstalledPackage,
  built: Built | undefined,
): Pick<SbomComponent, 'pedigree'> {
  if (!built) return {};
  const { purl, sha256: digest } = built.source;
  return { pedigree: { ancestors: [{ type: 'library', name, version, purl, hashes: [shortHash(digest)] }] } };
}

/** What built a part is listed as well, outside of the scope of what runs. */
function toolComponent(tool: BuildPart): SbomComponent {
  const { name, version, purl } = namedTool(tool);
  const head = { type: 'library', 'bom-ref': `build/${tool.location}`, name, version, purl } as const;
  return { ...head, scope: 'excluded', hashes: [shortHash(tool.sha256)] };
}

function shortHash(digest: string): { alg: 'SHA-256'; content: string } {
  return { alg: 'SHA-256', content: digest.replace(/^sha256:/, '') };
}

function hashesOf({
  sha256: short,
  sha512,
}: Pick<Artifact, 'sha256' | 'sha512'>): NonNullable<SbomComponent['hashes']> {
  return [shortHash(short), { alg: 'SHA-512', content: sha512 }];
}

/** A server that is no package of its own list: an image with its parts, or an address. */
function topOf({ submission, closure, rootPurl }: Described): SbomComponent {
  const { name, version } = submission;
  const parts = closure.artifacts.filter(isImagePart);
  const head = { 'bom-ref': rootPurl, name, version, purl: rootPurl };
  if (parts.length === 0) return { type: 'application', ...head };
  const components = parts.map(({ location, ...digests }) => {
    return { type: 'file' as const, name: location, hashes: hashesOf(digests) };
  });
  return { type: 'container', ...head, components };
}

function needsOf({ at, needs }: InstalledPackage): Sbom['dependencies'] {
  return needs === null ? [] : [{ ref: at, dependsOn: [...needs] }];
}

/** What an image needs of what is in it nobody says: it has all of it. */
function topNeeds(top: SbomComponent, packages: readonly InstalledPackage[]): Sbom['dependencies'][number] {
  return { ref: top['bom-ref'], dependsOn: packages.map(({ at }) => at) };
}

/** An image holds more than its package managers know of. */
function aggregateOf({ closure, installed }: Described): Sbom['compositions'][number]['aggregate'] {
  if (closure.artifacts.some(({ location }) => location === REMOTE_LOCATION)) return 'unknown';
  return closure.artifacts.some(isImagePart) || installed.gaps.length > 0 ? 'incomplete' : 'complete';
}

/** A UUID of version 8, whose other bits are of the digest of everything else. */
function serialOf(document: object): string {
  const hex = [...sha256(canonical(document)).slice('sha256:'.length, 'sha256:'.length + 32)];
  hex[12] = '8';
  hex[16] = '89ab'[Number.parseInt(hex[16] ?? '0', 16) & 3] ?? '8';
  const text = hex.join('');
  const parts = [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)];
  return `urn:uuid:${parts.join('-')}`;
}

/** How often each licence is said, the most frequent first; what could not be read is the last. */
export function licenceCounts(packages: readonly Pick<InstalledPackage, 'licence'>[]): LicenceCount[] {
  const counts = new Map<string | null, number>();
  for (const { licence } of packages)
    counts.set(licence.expression, (counts.get(licence.expression) ?? 0) + 1);
  return [...counts]
    .map(([licence, count]) => ({ licence, packages: count }))
    .sort(
      (a, b) =>
        Number(a.licence === null) - Number(b.licence === null) ||
        b.packages - a.packages ||
        ((a.licence ?? '') < (b.licence ?? '') ? -1 : 1),
    )
    .slice(0, MAX_LICENCES);
}

/** What a report says of all packages. */
export function installedReport({ packages, unpacked, gaps }: Installed): InstalledReport {
  return {
    packages: packages.length,
    unpacked,
    licences: licenceCounts(packages),
    gaps: [...gaps].slice(0, 100),
  };
}

/** Licences by purl, as a bill of materials that was stored says them; null where none could be read. */
export function licencesIn({ metadata, components }: Sbom): Map<string, string | null> {
  return new Map(
    [metadata.component, ...components].flatMap(({ purl, licenses, scope }) => {
      if (scope === 'excluded') return [];
      const [one] = licenses ?? [];
      const expression = one && 'expression' in one ? one.expression : null;
      return purl === undefined ? [] : [[purl, expression] as const];
    }),
  );
}
