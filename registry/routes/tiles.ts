/**
 * The log as C2SP tlog-tiles, for whoever monitors it: the checkpoint and tiles of hashes for everybody, bundles of
 * entries for people of the house, as they name what is not published.
 */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Call, Handlers } from '../app.ts';
import { entriesFrom, nodesAt } from '../db/log.ts';
import type { Deps } from '../deps.ts';

const WIDTH = 256;
/** Levels of the tree that one level of tiles spans. */
const HEIGHT = 8;
const FOREVER = 'max-age=31536000, immutable';

export function tileRoutes({ pool, checkpoints }: Deps): Handlers {
  return {
    checkpoint: async (call) => {
      void call.reply.type('text/plain; charset=utf-8').header('cache-control', 'no-cache');
      return (await checkpoints.newest()).note;
    },
    tile: async (call) => {
      const { level, first, width } = tileOf(call.param('*'), /^(\d|[1-5]\d|6[0-3])\/(.*)$/);
      const places = Array.from({ length: width }, (_, n) => ({ level: level * HEIGHT, index: first + n }));
      // Above a tree of 2^48 leaves there is nothing.
      const nodes = level > 5 ? new Map<string, Buffer>() : await nodesAt(pool, places);
      const hashes = places.flatMap(({ level, index }) => nodes.get(`${level} ${index}`) ?? []);
      return whole(call, 'public', { pieces: hashes, width });
    },
    tileEntries: async (call) => {
      const { first, width } = tileOf(call.param('*'), /^()(.*)$/);
      const entries = await entriesFrom(pool, first, width);
      return whole(call, 'private', { pieces: entries.flatMap(prefixed), width: 2 * width });
    },
  };
}

interface Tile {
  readonly level: number;
  /** Index of its first hash or entry. */
  readonly first: number;
  readonly width: number;
}

/** `L/N[.p/W]`, N in groups of three digits: x001/x234/067. Throws NOT_FOUND for any other way to write it. */
function tileOf(path: string, split: RegExp): Tile {
  const [, level = '', rest = ''] = split.exec(path) ?? [];
  const [, groups = '', partial] =
    /^((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-5]))?$/.exec(rest) ?? [];
  if (groups === '' || groups.startsWith('x000')) throw noTile(path);
  const index = Number(groups.replaceAll(/[x/]/g, ''));
  return { level: Number(level), first: index * WIDTH, width: Number(partial ?? WIDTH) };
}

function whole(
  call: Call,
  who: 'public' | 'private',
  { pieces, width }: { pieces: readonly Buffer[]; width: number },
): Buffer {
  if (pieces.length < width) throw noTile(call.param('*'));
  void call.reply.type('application/octet-stream').header('cache-control', `${who}, ${FOREVER}`);
  return Buffer.concat(pieces);
}

function prefixed(entry: Buffer): [Buffer, Buffer] {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(entry.length);
  return [length, entry];
}

function noTile(path: string): LockkeeperError {
  return new LockkeeperError('NOT_FOUND', {
    expected: 'a tile of this log, such as 0/000.p/7',
    found: quote(path, 100),
    next: 'Take the size of the log from GET /checkpoint',
  });
}
