/** What a tar tells of its next entry in an entry before it: names that do not fit, sizes, attributes. */

/** What stands before an entry and tells of it. */
export interface Also {
  readonly path?: string;
  readonly target?: string;
  readonly size?: number;
  readonly capable?: boolean;
}

export const NOTHING: Also = {};
export const META: ReadonlySet<string> = new Set([
  'ExtendedHeader',
  'OldExtendedHeader',
  'GlobalExtendedHeader',
  'NextFileHasLongPath',
  'OldGnuLongPath',
  'NextFileHasLongLinkpath',
]);

export function metaOf(type: string, body: Buffer): Also {
  if (type === 'NextFileHasLongPath' || type === 'OldGnuLongPath') return { path: untilNul(body) };
  if (type === 'NextFileHasLongLinkpath') return { target: untilNul(body) };
  const fields = paxOf(body);
  if ([...fields.keys()].some((name) => name.startsWith('GNU.sparse'))) throw new Error('a sparse file');
  const { path, target, size } = {
    path: fields.get('path'),
    target: fields.get('linkpath'),
    size: fields.get('size'),
  };
  if (type === 'GlobalExtendedHeader') {
    if (path ?? target ?? size) throw new Error('one name for many entries');
    return NOTHING;
  }
  return {
    ...(path === undefined ? {} : { path }),
    ...(target === undefined ? {} : { target }),
    ...(size === undefined ? {} : { size: Number(size) }),
    ...(fields.has('SCHILY.xattr.security.capability') ? { capable: true } : {}),
  };
}

function untilNul(body: Buffer): string {
  const end = body.indexOf(0);
  return body.subarray(0, end === -1 ? body.length : end).toString('utf8');
}

/** Records of `LENGTH KEY=VALUE\n`; values may hold anything. */
function paxOf(body: Buffer): Map<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const length = space === -1 ? Number.NaN : Number(body.toString('latin1', at, space));
    const record = body.subarray(space + 1, at + length);
    const equals = record.indexOf(0x3d);
    if (!(length > space - at) || at + length > body.length || equals < 1 || record.at(-1) !== 0x0a)
      throw new Error('an extended header that cannot be read');
    fields.set(record.toString('utf8', 0, equals), record.toString('utf8', equals + 1, record.length - 1));
    at += length;
  }
  return fields;
}
