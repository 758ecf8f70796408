/** npm's own resolution, nothing installed and nothing run, with refusals where npm would shrug. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Arborist from '@npmcli/arborist';
import { type LockkeeperError, quote } from '../../schemas/errors.ts';
import { isAbsent, unreachable } from '../failure.ts';
import { incomplete, type PackageRef, type ResolveWork, type TreeNode } from '../tree.ts';

/** One registry, nothing else: what a package takes from git, an address or a folder is pinned by nobody. */
const REGISTRY_ONLY = { allowGit: 'none', allowRemote: 'none', allowFile: 'none', allowDirectory: 'none' };

interface Edge {
  readonly error: string | null;
  readonly optional: boolean;
  readonly name: string;
  readonly spec: string;
  readonly type: string;
  readonly from: Node;
}

/** The members of arborist's nodes that are read here. */
interface Node {
  readonly name: string;
  readonly packageName: string;
  readonly version: string;
  readonly location: string;
  readonly resolved: string | null;
  readonly integrity: string | null;
  readonly optional: boolean;
  /** For development of the root alone. */
  readonly dev: boolean;
  readonly inBundle: boolean;
  readonly isLink: boolean;
  readonly isProjectRoot: boolean;
  readonly isRegistryDependency: boolean;
  readonly errors: readonly Error[];
  readonly package: {
    readonly os?: string | string[];
    readonly cpu?: string | string[];
    readonly bundleDependencies?: readonly string[];
  };
  readonly edgesOut: ReadonlyMap<string, Edge>;
  readonly edgesIn: ReadonlySet<Edge>;
}

export async function resolve({ ref, overrides, npm, path, own }: ResolveWork): Promise<TreeNode[]> {
  const wishes = own ? { ...own.wishes, private: true } : { private: true, overrides };
  await writeFile(join(path, 'package.json'), JSON.stringify(wishes));
  if (own && own.lockfile !== null) await writeFile(join(path, 'package-lock.json'), own.lockfile);
  const options = { ...npm, ...REGISTRY_ONLY, path, ignoreScripts: true, audit: false, fund: false };
  const add = own ? [] : [`${ref.name}@${ref.version}`];
  const tree = await new Arborist(options)
    .buildIdealTree({ add, saveType: 'prod' })
    .catch((cause: unknown) => {
      throw unresolved(ref, cause);
    });
  const all = [...(tree.inventory.values() as Iterable<unknown>)] as Node[];
  if (own) assertFound(tree as unknown as Node, `${ref.name}@${ref.version}`);
  // What only developers of the package need is in no closure.
  const needed = all.filter((node) => !node.isProjectRoot && node.location !== '' && !node.dev);
  return chosen(needed).map(plain);
}

function plain(node: Node): TreeNode {
  const { version, location, resolved, integrity, optional } = node;
  const { os, cpu } = node.package;
  return {
    ...{ version, location, resolved, integrity, optional },
    name: node.packageName || node.name,
    os: wordsOf(os),
    cpu: wordsOf(cpu),
    bundles: bundledBy(node),
  };
}

/** Platform lists as npm reads them; what is no word is left out. */
function wordsOf(value: unknown): string[] | null {
  return value === undefined || value === null
    ? null
    : [value].flat().filter((item) => typeof item === 'string');
}

/** A version that is not there is the caller's mistake; a dependency that is not there is the release's. */
function unresolved(ref: PackageRef, cause: unknown): LockkeeperError {
  const { code, requiredBy, message } = cause as { code?: string; requiredBy?: string; message: string };
  const wanting = requiredBy === undefined || requiredBy === '.' ? null : requiredBy;
  if (code?.startsWith('EALLOW')) {
    const found = `${wanting ?? ref.name} wants ${quote(String((cause as { package?: string }).package), 200)}`;
    return incomplete('packages from the registry alone', found, cause);
  }
  if (code === 'EBADPLATFORM') return incomplete('packages for this kind of machine', quote(message, 300));
  if (code === 'ERESOLVE') return incomplete('peer dependencies that agree', quote(message, 300));
  if (wanting !== null && isAbsent(cause)) {
    return incomplete(`what ${wanting} depends on`, `nothing in the registry: ${quote(message, 300)}`, cause);
  }
  return unreachable(`${ref.name}@${ref.version} and what it depends on`, cause);
}

/** Leaves out what npm would leave out; throws for what it could not install, or would take from elsewhere. */
function chosen(nodes: readonly Node[]): Node[] {
  const failed = new Set<Node>();
  for (const node of nodes) if (node.errors.length > 0) addFailed(node, failed);
  for (const node of nodes) {
    const [error] = node.errors;
    if (error !== undefined) assertMerelyAbsent(node, error);
    else if (!failed.has(node)) assertComplete(node);
  }
  return nodes.filter((node) => !node.inBundle && !failed.has(node));
}

/** An optional package that could not be loaded goes, and with it the optional ones that cannot do without it. */
function addFailed(node: Node, failed: Set<Node>): void {
  if (failed.has(node)) return;
  failed.add(node);
  for (const edge of node.edgesIn) if (!edge.optional && edge.from.optional) addFailed(edge.from, failed);
}

/** Arborist forgives every failure of an optional package. Only "there is none" may be forgiven here. */
function assertMerelyAbsent(node: Node, error: Error): void {
  if (isAbsent(error)) return;
  const [edge] = node.edgesIn;
  if ((error as { code?: string }).code?.startsWith('EALLOW')) {
    const found = `${edge?.from.location ?? 'a package'} wants ${node.name}@${quote(edge?.spec ?? '', 200)}`;
    throw incomplete('packages from the registry alone', found, error);
  }
  throw unreachable(`the optional package ${node.name}`, error);
}

function bundledBy(node: Node): readonly string[] {
  const names = node.package.bundleDependencies;
  return Array.isArray(names) ? names : [];
}

/** Every dependency that is not optional is there and fits. What a package brings along is looked for in its tarball. */
function assertComplete(node: Node): void {
  const label = `${node.packageName || node.name}@${node.version}`;
  if (node.isLink || (!node.inBundle && !node.isRegistryDependency)) {
    const how = node.isLink ? 'a link' : quote(node.resolved ?? 'elsewhere', 200);
    throw incomplete('packages from the registry alone', `${label} at ${node.location} from ${how}`);
  }
  assertFound(node, label);
}

function assertFound(node: Node, label: string): void {
  const brought = bundledBy(node);
  for (const edge of node.edgesOut.values()) {
    if (edge.error === null || edge.optional || edge.type === 'dev' || brought.includes(edge.name)) continue;
    const found = edge.error === 'MISSING' ? 'nothing' : 'another version that does not fit';
    const peer = edge.type === 'peer' ? ' as a peer' : '';
    throw incomplete(`${edge.name}@${edge.spec}, which ${label} wants${peer}`, found);
  }
}
