/** MCP bundles, honest ones and as nobody would publish them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ZipFile, zipOf } from './wheels.ts';

const SERVERS = join(import.meta.dirname, '../servers');

export interface BundleSpec {
  readonly manifest?: Readonly<Record<string, unknown>>;
  /** Over the manifest's `server`. */
  readonly server?: Readonly<Record<string, unknown>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly entries?: readonly ZipFile[];
}

export function manifestOf({ manifest = {}, server = {} }: BundleSpec = {}): Record<string, unknown> {
  return {
    manifest_version: '0.3',
    name: 'weather',
    version: '1.0.0',
    description: 'Weather of tomorrow',
    author: { name: 'Acme' },
    server: {
      type: 'node',
      entry_point: 'server/index.mjs',
      mcp_config: { command: 'node', args: ['${__dirname}/server/index.mjs'] },
      ...server,
    },
    ...manifest,
  };
}

/** A zip with this manifest and these files. */
export function bundleOf(spec: BundleSpec = {}): Buffer {
  const { files = { 'server/index.mjs': '' }, entries = [] } = spec;
  const all = { 'manifest.json': JSON.stringify(manifestOf(spec)), ...files };
  return zipOf([...Object.entries(all).map(([path, bytes]) => ({ path, bytes })), ...entries]);
}

/** A real server on Node, with a package inside that it needs. */
export function nodeBundle(shows: object, spec: BundleSpec = {}): Buffer {
  const code = readFileSync(join(SERVERS, 'scan-plain.mjs'), 'utf8');
  const dependency = { name: 'left-pad', version: '1.3.0', main: 'index.js' };
  return bundleOf({
    ...spec,
    files: {
      'server/index.mjs': `import 'left-pad';\n${code}`,
      'server/server.json': JSON.stringify(shows),
      'server/node_modules/left-pad/package.json': JSON.stringify(dependency),
      'server/node_modules/left-pad/index.js': 'module.exports = (text) => text;\n',
      ...spec.files,
    },
  });
}

/** The block that signers append: nobody looks into it. */
export function signed(bundle: Buffer, { counted = false, block = 64 } = {}): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(block);
  const tail = Buffer.concat([
    Buffer.from('MCPB_SIG_V1'),
    length,
    Buffer.alloc(block, 7),
    Buffer.from('MCPB_SIG_END'),
  ]);
  const zip = Buffer.from(bundle);
  if (counted) zip.writeUInt16LE(tail.length, zip.length - 2);
  return Buffer.concat([zip, tail]);
}
