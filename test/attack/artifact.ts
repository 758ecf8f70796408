/** The bytes that run as victim: in the local store, on their way there, and in what they unpack to. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verify } from '../../cli/commands/verify.ts';
import { pullArtifacts } from '../../runtime/pull.ts';
import { type FolderBlobs, openBlobs } from '../../runtime/store/blobs.ts';
import { materialise } from '../../runtime/store/materialise.ts';
import { sha256 } from '../../schemas/json.ts';
import type { LockFile } from '../../schemas/lock.ts';
import { type Closure, closureDigest } from '../../schemas/release.ts';
import { type Entry, tarball } from '../helpers/tarball.ts';
import { makeApproval, makeEntry, makeLock, people } from '../helpers/trust.ts';
import { filesIn, type Machine, makeMachine } from './machine.ts';
import type { Row, Scenario } from './row.ts';
import type { World } from './world.ts';

const GOOD: Entry[] = [
  { path: 'package/package.json', text: '{"name":"weather","version":"1.2.3"}' },
  { path: 'package/index.js', text: 'process.stdin.resume();' },
];

function closureOf(bytes: Buffer): Closure {
  const [first] = makeEntry().closure.artifacts;
  if (!first) throw new Error('no artifact');
  const artifacts = [{ ...first, sha256: sha256(bytes), size: bytes.length }];
  return { digest: closureDigest(artifacts), artifacts };
}

function lockOf(closure: Closure): LockFile {
  const entry = { ...makeEntry(), closure };
  return makeLock({
    entry,
    approvals: [people.alice, people.bob].map((person) => makeApproval(person, entry)),
  });
}

interface Stocked {
  readonly machine: Machine;
  readonly blobs: FolderBlobs;
  readonly closure: Closure;
  readonly bytes: Buffer;
}

/** A machine that has verified a lock and has its one package in the store, if `stock` says so. */
async function stocked(world: World, { entries = GOOD, stock = true } = {}): Promise<Stocked> {
  const bytes = tarball(entries);
  const closure = closureOf(bytes);
  const machine = await makeMachine(world);
  await machine.start(lockOf(closure));
  const blobs = await openBlobs(join(machine.home.storeDir, 'blobs'));
  if (stock) await blobs.put(bytes);
  return { machine, blobs, closure, bytes };
}

/** One bit of the stored package, in place. */
function flipBit({ blobs, closure, bytes }: Stocked): void {
  const bent = Buffer.from(bytes);
  bent[100] = (bent[100] ?? 0) ^ 1;
  writeFileSync(blobs.path(closure.artifacts[0]?.sha256 ?? ''), bent);
}

const treesOf = ({ machine }: Stocked): string => join(machine.home.storeDir, 'trees');
const layOut = (at: Stocked): Promise<unknown> => materialise(at.closure, at.blobs, treesOf(at));
const verifyAll = ({ machine }: Stocked): Promise<unknown> =>
  verify.run(machine.context, [], { project: machine.project.dir, artifacts: true });
const pull = ({ closure, blobs }: Stocked, bytes: Buffer): Promise<unknown> =>
  pullArtifacts(closure.artifacts, blobs, { fetch: async () => bytes, progress: () => undefined });

/** Control and attack are the same act, on a machine that is as it should be and on one that is not. */
async function acted(
  honest: Promise<Stocked>,
  attacked: Promise<Stocked>,
  act: { honest: (at: Stocked) => Promise<unknown>; attack: (at: Stocked) => Promise<unknown> },
): Promise<Scenario> {
  const [good, bad] = await Promise.all([honest, attacked]);
  return {
    control: () => act.honest(good),
    attack: () => act.attack(bad),
    state: () => JSON.stringify([bad.machine.started, filesIn(bad.machine.home.dir)]),
  };
}

async function flipped(world: World, act: (at: Stocked) => Promise<unknown>): Promise<Scenario> {
  const bad = await stocked(world);
  flipBit(bad);
  return acted(stocked(world), Promise.resolve(bad), { honest: act, attack: act });
}

const DISK = 'the machine’s disk';

export const artifactRows: readonly Row[] = [
  {
    id: 'artifact-bit-verify',
    attacker: DISK,
    attack: 'flips one bit of a package in the local store; it is verified',
    refusedBy: 'store',
    code: 'ARTIFACT_MISMATCH',
    run: (world) => flipped(world, verifyAll),
  },
  {
    id: 'artifact-bit-run',
    attacker: DISK,
    attack: 'flips one bit of a package in the local store; it is laid out to run',
    refusedBy: 'store',
    code: 'ARTIFACT_MISMATCH',
    run: (world) => flipped(world, layOut),
  },
  {
    id: 'artifact-mirror',
    attacker: 'the registry’s blob store, or a mirror',
    attack: 'serves other bytes under the digest of a package',
    refusedBy: 'runtime and gate',
    code: 'ARTIFACT_MISMATCH',
    run: (world) =>
      acted(stocked(world, { stock: false }), stocked(world, { stock: false }), {
        honest: (at) => pull(at, at.bytes),
        attack: (at) => pull(at, Buffer.from('something else')),
      }),
  },
  {
    id: 'artifact-escape',
    attacker: 'a publisher, and two reviewers who did not look',
    attack: 'has an archive approved that writes outside of its folder',
    refusedBy: 'store',
    code: 'ARCHIVE_HOSTILE',
    run: (world) =>
      acted(
        stocked(world),
        stocked(world, { entries: [...GOOD, { path: 'package/../../../evil.js', text: '1' }] }),
        {
          honest: layOut,
          attack: layOut,
        },
      ),
  },
];
