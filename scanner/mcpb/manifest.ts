/** The manifest of a bundle: what it is, how a host would start it, what it declares. */
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { textIn } from '../../runtime/store/wheel.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import { incomplete } from '../tree.ts';

const MAX_BYTES = 4 * 1024 * 1024;
/** Earlier ones than 0.3 are told by their older name as well. */
const VERSIONS: readonly string[] = ['0.1', '0.2', '0.3', '0.4'];
/** What to do about kinds that do not run here. */
const INSTEAD: Readonly<Record<string, string>> = {
  binary: 'Have it built into an image, and publish that: oci:HOST/NAME:TAG',
  uv: 'Its packages are fetched at each start; publish it to a Python package index: pypi:NAME@VERSION',
};

const Words = Type.Array(Type.String({ maxLength: 8192 }), { maxItems: 200 });
const Variables = Type.Record(Type.String({ pattern: '^[^]*$' }), Type.String({ maxLength: 8192 }), {
  maxProperties: 100,
});
const Config = Type.Object({
  command: Type.String({ minLength: 1, maxLength: 4096 }),
  args: Type.Optional(Words),
  env: Type.Optional(Variables),
});
const Option = Type.Object({
  type: Type.String(),
  required: Type.Optional(Type.Boolean()),
  sensitive: Type.Optional(Type.Boolean()),
  default: Type.Optional(Type.Unknown()),
});
const Declared = Type.Array(
  Type.Object({ name: Type.String({ maxLength: 1000 }), description: Type.Optional(Type.String()) }),
  { maxItems: 2000 },
);

/** What is read of it; what only a host's pages show is left alone. */
const Schema = Type.Object({
  manifest_version: Type.Optional(Type.String()),
  dxt_version: Type.Optional(Type.String()),
  name: Type.String({ minLength: 1, maxLength: 200 }),
  version: Type.String({ minLength: 1, maxLength: 255 }),
  description: Type.String(),
  author: Type.Object({ name: Type.String({ maxLength: 200 }) }),
  server: Type.Object({
    type: Type.String(),
    entry_point: Type.String({ minLength: 1, maxLength: 1024 }),
    mcp_config: Type.Optional(
      Type.Object({
        ...Config.properties,
        platform_overrides: Type.Optional(
          Type.Record(Type.String({ pattern: '^[^]*$' }), Type.Partial(Config), { maxProperties: 20 }),
        ),
      }),
    ),
  }),
  user_config: Type.Optional(Type.Record(Type.String({ pattern: '^[^]*$' }), Option, { maxProperties: 100 })),
  tools: Type.Optional(Declared),
  tools_generated: Type.Optional(Type.Boolean()),
  prompts: Type.Optional(Declared),
  prompts_generated: Type.Optional(Type.Boolean()),
  compatibility: Type.Optional(
    Type.Object({
      platforms: Type.Optional(Type.Array(Type.String(), { maxItems: 20 })),
      runtimes: Type.Optional(
        Type.Object({ python: Type.Optional(Type.String()), node: Type.Optional(Type.String()) }),
      ),
    }),
  ),
  repository: Type.Optional(Type.Object({ url: Type.String({ maxLength: 1000 }) })),
  _meta: Type.Optional(Type.Unknown()),
});
export type Manifest = Static<typeof Schema>;

/** Of any bundle, whether it runs here or not. Throws CLOSURE_INCOMPLETE. */
export function manifestIn(files: readonly UnpackedFile[], label: string): Manifest {
  const text = textIn(files, 'manifest.json');
  if (text === null) throw incomplete(`a manifest.json in ${label}`, 'none');
  const manifest = parsed(text, label);
  const version = manifest.manifest_version ?? manifest.dxt_version ?? 'none';
  if (!VERSIONS.includes(version))
    throw incomplete(`a manifest of the version ${VERSIONS.join(', ')} in ${label}`, quote(version, 40));
  return manifest;
}

function parsed(text: string, label: string): Manifest {
  try {
    const value = parseStrict(text.replace(/^\ufeff/, ''), { maxBytes: MAX_BYTES });
    return assertValid(Schema, value, `the manifest of ${label}`);
  } catch (error) {
    if (!(error instanceof LockkeeperError)) throw error;
    throw incomplete(error.expected, error.found, error);
  }
}

/** Throws CLOSURE_INCOMPLETE for what nobody here starts, with what to do instead. */
export function assertRuns({ server, compatibility }: Manifest, label: string): 'node' | 'python' {
  const { type } = server;
  const { platforms } = compatibility ?? {};
  if (platforms !== undefined && !platforms.includes('linux'))
    throw incomplete(`${label} for linux`, `one for ${platforms.map((one) => quote(one, 20)).join(', ')}`);
  if (type === 'node' || type === 'python') return type;
  throw new LockkeeperError('CLOSURE_INCOMPLETE', {
    expected: `${label} of the type node or python`,
    found: `the type ${quote(type, 40)}, which is not run from a bundle here`,
    next: (Object.hasOwn(INSTEAD, type) && INSTEAD[type]) || 'Use another release, or tell its maintainers',
  });
}
