/** A list of everything a release is made of, in CycloneDX 1.6: the part of that format that is written here. */
import { Closed } from './common.ts';
import { type Static, Type } from './type.ts';

/** Packages counted by what they say of their licence; null is nothing that could be read. */
export const LicenceCount = Closed({
  licence: Type.Union([Type.Null(), Type.String({ minLength: 1, maxLength: 500 })]),
  packages: Type.Integer({ minimum: 1 }),
});
export type LicenceCount = Static<typeof LicenceCount>;

export const UnpackedSize = Closed({
  files: Type.Integer({ minimum: 0 }),
  bytes: Type.Integer({ minimum: 0 }),
});

/** What a report says of the packages that were found. */
export const InstalledReport = Closed({
  packages: Type.Integer({ minimum: 0 }),
  unpacked: Type.Union([Type.Null(), UnpackedSize]),
  /** The most frequent first. */
  licences: Type.Array(LicenceCount, { maxItems: 1000 }),
  /** Why the list may be short. */
  gaps: Type.Array(Type.String(), { maxItems: 100 }),
});
export type InstalledReport = Static<typeof InstalledReport>;

const Word = Type.String({ minLength: 1 });
const Hash = Closed({
  alg: Type.Union([Type.Literal('SHA-256'), Type.Literal('SHA-512')]),
  content: Type.String({ pattern: '^(?:[0-9a-f]{64}|[0-9a-f]{128})$' }),
});
const License = Type.Union([
  /** `concluded`: read from the text of a file. */
  Closed({
    expression: Word,
    acknowledgement: Type.Union([Type.Literal('declared'), Type.Literal('concluded')]),
  }),
  Closed({ license: Closed({ name: Word, acknowledgement: Type.Literal('declared') }) }),
]);
const Property = Closed({ name: Word, value: Type.String() });
const Part = Closed({ type: Type.Literal('file'), name: Word, hashes: Type.Array(Hash) });

export const SbomComponent = Closed({
  type: Type.Union([Type.Literal('library'), Type.Literal('application'), Type.Literal('container')]),
  'bom-ref': Word,
  group: Type.Optional(Word),
  name: Word,
  version: Word,
  purl: Type.Optional(Word),
  hashes: Type.Optional(Type.Array(Hash)),
  licenses: Type.Optional(Type.Array(License, { minItems: 1, maxItems: 1 })),
  components: Type.Optional(Type.Array(Part)),
  evidence: Type.Optional(Closed({ occurrences: Type.Array(Closed({ location: Word })) })),
  properties: Type.Optional(Type.Array(Property)),
  /** Of what built a part, and does not run. */
  scope: Type.Optional(Type.Literal('excluded')),
  /** Of a wheel that was built: its source archive. */
  pedigree: Type.Optional(
    Closed({
      ancestors: Type.Array(
        Closed({
          type: Type.Literal('library'),
          name: Word,
          version: Word,
          purl: Word,
          hashes: Type.Array(Hash),
        }),
      ),
    }),
  ),
});
export type SbomComponent = Static<typeof SbomComponent>;

export const Sbom = Closed({
  bomFormat: Type.Literal('CycloneDX'),
  specVersion: Type.Literal('1.6'),
  serialNumber: Type.String({ pattern: '^urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }),
  version: Type.Literal(1),
  metadata: Closed({
    tools: Closed({
      components: Type.Array(Closed({ type: Type.Literal('application'), name: Word, version: Word })),
    }),
    component: SbomComponent,
    properties: Type.Array(Property),
  }),
  components: Type.Array(SbomComponent),
  dependencies: Type.Array(Closed({ ref: Word, dependsOn: Type.Array(Word) })),
  compositions: Type.Array(
    Closed({
      aggregate: Type.Union([Type.Literal('complete'), Type.Literal('incomplete'), Type.Literal('unknown')]),
      assemblies: Type.Array(Word),
    }),
  ),
});
export type Sbom = Static<typeof Sbom>;
