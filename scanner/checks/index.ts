/** The explicit list of checks, in the order of a report. Deleting one is deleting a line here and a file. */
import { account } from './account.ts';
import { knownMalware, knownVulnerabilities } from './advisories.ts';
import { annotations } from './annotations.ts';
import { attestations } from './attestations.ts';
import { afterCalls, calls, honey } from './behaviour.ts';
import { bound } from './bound.ts';
import { brand } from './brand.ts';
import { buildPlace } from './build-place.ts';
import { builder } from './builder.ts';
import { builtWheels } from './built.ts';
import { sameForClients } from './by-client.ts';
import { capability } from './capability.ts';
import type { About, Check, Facts, SurfaceCheck } from './check.ts';
import { argumentFlows, privateFlows } from './code-flows.ts';
import { codeSecrets } from './code-secrets.ts';
import { commit, wholeTree } from './commit.ts';
import { coolDown } from './cool-down.ts';
import { egress } from './egress.ts';
import { emptySchema } from './empty-schema.ts';
import { eras } from './eras.ts';
import { hiddenCode, unreadableCode } from './hidden-code.ts';
import { hiddenUnicode } from './hidden-unicode.ts';
import { image } from './image.ts';
import { installScripts } from './install-scripts.ts';
import { instructions } from './instructions.ts';
import { integrity } from './integrity.ts';
import { labels } from './labels.ts';
import { licences } from './licences.ts';
import { maintainers } from './maintainers.ts';
import { bundleSignature, manifest } from './manifest.ts';
import { parameters } from './parameters.ts';
import { publisher } from './publisher.ts';
import { rank } from './rank.ts';
import { reach } from './reach.ts';
import { registrySignature } from './registry-signature.ts';
import { repository } from './repository.ts';
import { repositoryId } from './repository-id.ts';
import { rhythm } from './rhythm.ts';
import { schemaSmells } from './schema-smells.ts';
import { shadowing } from './shadowing.ts';
import { starJacking } from './star-jacking.ts';
import { surfaceDiff } from './surface-diff.ts';
import { suspicion } from './suspicion.ts';
import { tag } from './tag.ts';
import { thinClient } from './thin-client.ts';
import { volatile } from './volatile.ts';

/** Those that read what a server shows and nothing else: its quality can be measured on texts alone. */
export const surfaceChecks: readonly SurfaceCheck[] = [
  surfaceDiff,
  emptySchema,
  schemaSmells,
  annotations,
  hiddenUnicode,
  instructions,
  suspicion,
  shadowing,
  parameters,
];

export const checks: readonly Check[] = [
  integrity,
  installScripts,
  builtWheels,
  registrySignature,
  attestations,
  bound,
  rank,
  builder,
  buildPlace,
  image,
  manifest,
  bundleSignature,
  commit,
  wholeTree,
  coolDown,
  rhythm,
  tag,
  maintainers,
  publisher,
  account,
  repository,
  repositoryId,
  starJacking,
  brand,
  surfaceDiff,
  reach,
  emptySchema,
  schemaSmells,
  eras,
  volatile,
  sameForClients,
  annotations,
  hiddenUnicode,
  instructions,
  suspicion,
  shadowing,
  parameters,
  labels,
  capability,
  hiddenCode,
  codeSecrets,
  argumentFlows,
  thinClient,
  privateFlows,
  unreadableCode,
  egress,
  calls,
  honey,
  afterCalls,
  knownMalware,
  knownVulnerabilities,
  licences,
];

type Sort = Pick<Facts, 'remote' | 'image' | 'bundle' | 'git' | 'closure'>;

const IS_ABOUT: Readonly<Record<About, (release: Sort) => boolean>> = {
  package: ({ remote, image }) => remote === null && image === null,
  'package or image': ({ remote }) => remote === null,
  image: ({ image }) => image !== null,
  bundle: ({ bundle }) => bundle !== null,
  'built wheel': ({ closure }) => closure.artifacts.some(({ built }) => built !== undefined),
  commit: ({ git }) => git !== null,
};

/** The checks that have something to say of such a release. */
export function applicable(release: Sort): readonly Check[] {
  return checks.filter(({ about }) => about === undefined || IS_ABOUT[about](release));
}
