/** The tree of an image, from its parts: each layer over those below it, as the OCI image specification lays them. */
import { LockkeeperError, quote } from '../../../schemas/errors.ts';
import { IMAGE_CONFIG, IMAGE_MANIFEST, isLayer } from '../../../schemas/oci.ts';
import type { Artifact } from '../../../schemas/release.ts';
import type { Blobs } from '../blobs.ts';
import { type Budget, IMAGE_LIMITS, type LayerEntry, readLayer } from './layer.ts';
import { type ImageConfig, type ImageManifest, readConfig, readManifest, refused } from './parts.ts';
import { type ImageTree, openTree, partsOf } from './tree.ts';

export interface ImageParts {
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** Lowest first. */
  readonly layers: readonly Artifact[];
}

/** What was left out of an image or taken from it. Paths are the first of their kind. */
export interface ImageNotes {
  unpacked: number;
  files: number;
  readonly setuid: string[];
  readonly capable: string[];
  readonly devices: string[];
}

interface SpoolFile {
  readonly executable: boolean;
  /** Parts of its path in the image, as its layer says. */
  readonly parts: readonly string[];
}

/** Where the bytes of files go; without it they are read and forgotten. */
export interface Spool {
  /** Begins the content of this number; null for one that is read and forgotten. */
  open(content: number, of: SpoolFile): { write(bytes: Buffer): void; close(): void } | null;
}

const MAX_NOTES = 100;
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** Manifest and config of a closure, and that the closure is what they say. Throws ARTIFACT_MISMATCH, ARCHIVE_HOSTILE. */
export async function imageParts(artifacts: readonly Artifact[], blobs: Blobs): Promise<ImageParts> {
  const at = (location: string): Artifact => {
    const found = artifacts.find((artifact) => artifact.location === location);
    if (found) return found;
    throw refused(`${location} in the closure of an image`, 'none');
  };
  const manifest = readManifest(await blobs.get(at(IMAGE_MANIFEST).sha256), null);
  const config = readConfig(await blobs.get(at(IMAGE_CONFIG).sha256));
  const layers = artifacts.filter(isLayer).sort((a, b) => (a.location < b.location ? -1 : 1));
  assertSame([manifest.config, ...manifest.layers], [at(IMAGE_CONFIG), ...layers]);
  if (config.diffIds.length === layers.length) return { manifest, config, layers };
  throw refused(`a config that tells of ${layers.length} layers`, `${config.diffIds.length}`);
}

function assertSame(said: readonly { readonly digest: string }[], held: readonly Artifact[]): void {
  const same =
    said.length === held.length && said.every(({ digest }, index) => held[index]?.sha256 === digest);
  if (same) return;
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: 'the config and the layers that the manifest of the image names, in their order',
    found: 'others in the closure',
    next: 'Do not run it: restore mcp.lock from version control, or run: lk lock',
  });
}

/** All layers over each other. Throws what `readLayer` throws, and ARCHIVE_HOSTILE for paths and links that leave the root. */
export async function readTree(
  { manifest, config, layers }: ImageParts,
  { blobs, spool, limits = IMAGE_LIMITS }: { blobs: Blobs; spool?: Spool; limits?: Readonly<Budget> },
): Promise<{ tree: ImageTree; notes: ImageNotes }> {
  const tree = openTree();
  const notes: ImageNotes = { unpacked: 0, files: 0, setuid: [], capable: [], devices: [] };
  const budget: Budget = { ...limits };
  let contents = 0;
  for (const [index, artifact] of layers.entries()) {
    const layer = {
      bytes: await blobs.get(artifact.sha256),
      packing: manifest.layers[index]?.packing ?? 'none',
      diffId: config.diffIds[index] ?? '',
      label: `layer ${index + 1} of ${layers.length}`,
    };
    let open: ReturnType<Spool['open']> | null = null;
    await readLayer(layer, budget, {
      entry: (entry) => {
        const content = place(entry, { tree, notes, layer: index + 1, content: contents });
        if (content === null) return null;
        contents++;
        open = spool?.open(content, { executable: isExecutable(entry), parts: partsOf(entry.path) }) ?? null;
        return open === null ? null : (bytes) => open?.write(bytes);
      },
      done: () => {
        open?.close();
        open = null;
      },
    });
  }
  tree.folder(partsOf(config.workingDir), layers.length);
  for (const volume of config.volumes) tree.folder(partsOf(volume), layers.length);
  notes.unpacked = limits.bytes - budget.bytes;
  return { tree, notes };
}

function isExecutable({ mode }: LayerEntry): boolean {
  return (mode & 0o111) !== 0;
}

interface Placing {
  readonly tree: ImageTree;
  readonly notes: ImageNotes;
  readonly layer: number;
  readonly content: number;
}

/** The number under which the entry's bytes are kept; null for one without. */
function place(entry: LayerEntry, { tree, notes, layer, content }: Placing): number | null {
  const { kind, path, target, size, mode } = entry;
  const parts = partsOf(path);
  const name = parts.at(-1);
  if (name?.startsWith(WHITEOUT)) {
    remove(tree, parts, { name, layer });
    return null;
  }
  if (kind === 'folder') tree.folder(parts, layer);
  else if (kind === 'device') leaveOut(parts, path, notes);
  else if (kind === 'link') tree.put(parts, { kind, target, layer });
  else if (kind === 'hard link') tree.hardLink(parts, partsOf(target), layer);
  if (kind !== 'file') return null;
  notes.files++;
  if ((mode & 0o6000) !== 0) note(notes.setuid, path);
  if (entry.capable) note(notes.capable, path);
  tree.put(parts, { kind, executable: isExecutable(entry), size, content, layer });
  return content;
}

function remove(tree: ImageTree, parts: readonly string[], at: { name: string; layer: number }): void {
  const folder = parts.slice(0, -1);
  const name = at.name.slice(WHITEOUT.length);
  if (at.name === OPAQUE) tree.empty(folder, at.layer);
  // Names that begin so twice are bookkeeping of the tool that made the layer.
  else if (!name.startsWith(WHITEOUT) && name !== '') tree.whiteOut([...folder, name], at.layer);
}

/** Sandboxes have a /dev of their own; elsewhere a device is nothing that an image needs. */
function leaveOut(parts: readonly string[], path: string, notes: ImageNotes): void {
  if (parts[0] !== 'dev')
    throw refused('an image without devices and pipes outside of /dev', quote(path, 200));
  note(notes.devices, path);
}

function note(list: string[], path: string): void {
  if (list.length < MAX_NOTES) list.push(path.slice(0, 300));
}
