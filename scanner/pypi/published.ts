/** What an index tells of a project beside its files: who may publish in it, and when its versions came. */
import type { Json } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import type { PypiRef } from '../../schemas/pypi.ts';
import { Type } from '../../schemas/type.ts';
import { isValid } from '../../schemas/validate.ts';
import type { PublishedVersion, Upstream } from '../ports.ts';
import { indexClient } from './http.ts';
import type { PypiOptions } from './options.ts';
import { type IndexFile, versionIn } from './project.ts';

const MAX_BYTES = 64 * 1024 * 1024;

const Project = Type.Object({
  ownership: Type.Object({
    roles: Type.Array(Type.Object({ role: Type.String(), user: Type.String() }), { maxItems: 1000 }),
    organization: Type.Optional(Type.Union([Type.Null(), Type.String()])),
  }),
});

/** One wheel as its index lists it. */
export interface ListedWheel {
  readonly ref: PypiRef;
  readonly own: IndexFile;
  readonly listed: readonly IndexFile[];
  readonly options: PypiOptions;
}

/** Where an index has its other answers: beside the folder `simple`; null for an index without one. */
export function besideSimple({ options }: ListedWheel): string | null {
  const [index = ''] = options.indexes;
  return index.endsWith('/simple') ? index.slice(0, -'/simple'.length) : null;
}

/** Never throws for what the index leaves out. */
export async function publishedFacts(wheel: ListedWheel): Promise<Upstream> {
  const { ref, own, listed } = wheel;
  const ownership = await ownershipOf(wheel);
  const history = historyOf(ref, listed);
  return {
    publishedAt: own.uploadedAt,
    maintainers: ownership,
    publisher: null,
    history,
    slice: {
      name: ref.name,
      version: ref.version,
      file: own.file,
      uploaded: own.uploadedAt,
      sha256: own.sha256,
      maintainers: ownership === null ? null : [...ownership],
      history: history as unknown as Json,
    },
  };
}

async function ownershipOf(wheel: ListedWheel): Promise<string[] | null> {
  const base = besideSimple(wheel);
  if (base === null) return null;
  const client = indexClient(wheel.options);
  try {
    const want = { accept: 'application/json', maxBytes: MAX_BYTES, what: `who owns ${wheel.ref.name}` };
    const { status, body } = await client.get(`${base}/pypi/${wheel.ref.name}/json`, want);
    const json = status === 200 ? parseStrict(body, { maxBytes: MAX_BYTES }) : null;
    if (!isValid(Project, json) || json.ownership.roles.length === 0) return null;
    const { roles, organization } = json.ownership;
    const people = roles.map(({ role, user }) => `${user} (${role})`);
    return [...new Set([...people, ...(organization ? [`${organization} (Organization)`] : [])])].sort();
  } catch (error) {
    if (error instanceof LockkeeperError) return null;
    throw error;
  } finally {
    await client.close();
  }
}

/** By version, the first file of each; who uploaded it is not told. */
function historyOf({ name }: PypiRef, listed: readonly IndexFile[]): PublishedVersion[] {
  const found = new Map<string, PublishedVersion>();
  for (const { file, uploadedAt: at, provenance } of listed) {
    const version = versionIn(file, name);
    if (version === null) continue;
    const attested = provenance !== null || found.get(version)?.attested === true;
    found.set(version, {
      version,
      at: found.get(version)?.at ?? at,
      publisher: null,
      signed: false,
      attested,
    });
  }
  return [...found.values()];
}
