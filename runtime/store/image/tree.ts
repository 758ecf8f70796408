/**
 * The file tree that layers make, in memory and by names alone. Links are followed here, within the root, and never on the
 * disk: whatever an image says, nothing outside of its own tree is reached.
 */
import { quote } from '../../../schemas/errors.ts';
import { refused } from './parts.ts';

interface TreeFile {
  readonly kind: 'file';
  readonly executable: boolean;
  readonly size: number;
  /** Which content: files that are one by a hard link share it. */
  readonly content: number;
  /** The layer that it comes from. */
  readonly layer: number;
}

interface TreeLink {
  readonly kind: 'link';
  readonly target: string;
  readonly layer: number;
}

export interface TreeFolder {
  readonly kind: 'folder';
  readonly children: Map<string, TreeNode>;
  /** The last layer that put something into it. */
  layer: number;
  /** The last layer of which nothing lower is left in it. */
  emptied: number;
}

export type TreeNode = TreeFile | TreeLink | TreeFolder;

export interface ImageTree {
  readonly root: TreeFolder;
  /** The folder at a path, made with those above it where it is missing. */
  folder(path: readonly string[], layer: number): TreeFolder;
  put(path: readonly string[], node: TreeFile | TreeLink): void;
  /** A second name of a file that is there. */
  hardLink(path: readonly string[], target: readonly string[], layer: number): void;
  /** Takes away what lower layers have under this name. */
  whiteOut(path: readonly string[], layer: number): void;
  /** Takes away what lower layers have in this folder. */
  empty(path: readonly string[], layer: number): void;
}

const MAX_HOPS = 40;
const MAX_PATH = 4096;
const MAX_DEPTH = 200;
/** Folders that nobody names are made as well: paths of many parts would cost more than their bytes. */
const MAX_FOLDERS = 1_000_000;

/** Parts of a path of a layer. Throws ARCHIVE_HOSTILE for one that leaves the root. */
export function partsOf(path: string): string[] {
  const bad = (why: string): Error => refused('paths inside the image', `${quote(path, 200)} (${why})`);
  if (path.length > MAX_PATH) throw bad('too long');
  if (/[\0\ufffd]/.test(path)) throw bad('not text');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw bad('leaves the root');
  if (parts.length > MAX_DEPTH || parts.some((part) => Buffer.byteLength(part) > 255)) throw bad('too long');
  if (parts[0] === 'lockkeeper') throw bad('a folder of the sandbox itself');
  return parts;
}

export function openTree(): ImageTree {
  const root = newFolder(0);
  let folders = 0;
  const make = (layer: number): TreeFolder => {
    if (++folders > MAX_FOLDERS) throw refused(`an image of at most ${MAX_FOLDERS} folders`, 'more');
    return newFolder(layer);
  };
  const place = (path: readonly string[], layer: number): { parent: TreeFolder; name: string } => {
    const name = path.at(-1);
    if (name === undefined) throw refused('a path inside the image', 'the root itself as a file');
    return { parent: folderAt(root, path.slice(0, -1), { layer, make }), name };
  };
  const put: ImageTree['put'] = (path, node) => {
    const { parent, name } = place(path, node.layer);
    if (node.kind === 'link') assertInside(node.target, path);
    parent.children.set(name, node);
  };
  return {
    root,
    put,
    folder: (path, layer) => {
      if (path.length === 0) return root;
      const { parent, name } = place(path, layer);
      // A folder over a link or a file stands in its place.
      if (parent.children.get(name)?.kind !== 'folder') parent.children.set(name, make(layer));
      return folderAt(root, path, { layer, make });
    },
    hardLink: (path, target, layer) => {
      const held = find(root, target);
      if (!held || held.kind === 'folder')
        throw refused('a hard link to a file of the image', `${quote(target.join('/'), 200)}, which is none`);
      put(path, { ...held, layer });
    },
    whiteOut: (path, layer) => {
      const parent = find(root, [...path.slice(0, -1), '.']);
      const name = path.at(-1) ?? '';
      const node = parent?.kind === 'folder' ? parent.children.get(name) : undefined;
      if (parent?.kind === 'folder' && node && !stays(node, layer)) parent.children.delete(name);
    },
    empty: (path, layer) => {
      const node = find(root, [...path, '.']);
      if (node?.kind === 'folder') prune(node, layer);
    },
  };
}

function newFolder(layer: number): TreeFolder {
  return { kind: 'folder', children: new Map(), layer, emptied: 0 };
}

/** Without what lower layers have in it; once for each layer, since nothing lower can come after. */
function prune(folder: TreeFolder, layer: number): void {
  if (folder.emptied === layer) return;
  folder.emptied = layer;
  for (const [name, child] of folder.children) if (!stays(child, layer)) folder.children.delete(name);
}

/** What a layer puts there stays, whichever of both stands first in it. */
function stays(node: TreeNode, layer: number): boolean {
  if (node.layer !== layer) return false;
  if (node.kind === 'folder') prune(node, layer);
  return true;
}

/** A link may lead anywhere in the root: absolute from there, relative without climbing over it. */
function assertInside(target: string, path: readonly string[]): void {
  const bad = target === '' || target.length > MAX_PATH || /[\0\ufffd]/.test(target);
  let depth = target.startsWith('/') ? 0 : path.length - 1;
  for (const part of target.split('/')) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0 || bad)
      throw refused('links inside the image', `${quote(path.join('/'), 200)} to ${quote(target, 200)}`);
  }
}

/** Makes what is missing, and marks what is passed. Links are followed. */
function folderAt(
  root: TreeFolder,
  path: readonly string[],
  { layer, make }: { readonly layer: number; readonly make: (layer: number) => TreeFolder },
): TreeFolder {
  const trail: TreeFolder[] = [root];
  const rest = [...path].reverse();
  let hops = 0;
  while (rest.length > 0) {
    const part = rest.pop() ?? '';
    const at = trail.at(-1) ?? root;
    if (part === '..') {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const node = at.children.get(part) ?? make(layer);
    if (node.kind === 'file')
      throw refused('folders above every file', `${quote(path.join('/'), 200)} below a file`);
    if (node.kind === 'folder') {
      at.children.set(part, node);
      at.layer = layer;
      trail.push(node);
      continue;
    }
    if (++hops > MAX_HOPS) throw refused('links that end', `${quote(path.join('/'), 200)}, in a circle`);
    if (node.target.startsWith('/')) trail.length = 1;
    rest.push(...stepsOf(node.target));
  }
  const end = trail.at(-1) ?? root;
  end.layer = layer;
  return end;
}

function stepsOf(target: string): string[] {
  return target
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .reverse();
}

/** What is at a path, the links above it followed, and the last as well with `.` behind it; undefined where there is nothing. */
export function find(root: TreeFolder, path: readonly string[]): TreeNode | undefined {
  const trail: TreeFolder[] = [root];
  const rest = [...path].reverse();
  let hops = 0;
  while (rest.length > 0) {
    const part = rest.pop() ?? '';
    if (part === '.') continue;
    if (part === '..') {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const node = trail.at(-1)?.children.get(part);
    if (node === undefined || rest.length === 0) return node;
    if (node.kind === 'file') return undefined;
    if (node.kind === 'folder') {
      trail.push(node);
      continue;
    }
    if (++hops > MAX_HOPS) return undefined;
    if (node.target.startsWith('/')) trail.length = 1;
    rest.push(...stepsOf(node.target));
  }
  return trail.at(-1);
}
