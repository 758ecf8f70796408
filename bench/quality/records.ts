/** Labelled tool texts and patches of real surfaces, from any folder of such files. */
import { globSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isObject, type Json, type JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type DriftRecord, driftOf } from './drift.ts';

/** One tool with its label. Classes and scopes are whatever the set says; unknown ones are counted by their own names. */
export interface ToolRecord {
  readonly id: string;
  /** Name of its file. */
  readonly source: string;
  readonly malicious: boolean;
  readonly attackClass: string;
  readonly scope: string;
  readonly server: string | null;
  readonly version: string;
  readonly tool: JsonObject & { readonly name: string };
  /** Tools that stand beside it. */
  readonly peers: readonly {
    readonly server: string;
    readonly tool: JsonObject & { readonly name: string };
  }[];
}

/** A change of a surface that somebody means harm by: operations of RFC 6902 on a manifest beside the file. */
export interface PatchRecord {
  readonly id: string;
  readonly source: string;
  readonly label: string;
  readonly kind: string;
  readonly manifest: string;
  readonly patch: readonly {
    readonly op: string;
    readonly path: string;
    readonly from?: string;
    readonly value?: Json;
  }[];
}

export interface Sets {
  readonly tools: readonly ToolRecord[];
  readonly patches: readonly PatchRecord[];
  readonly drifts: readonly DriftRecord[];
  /** Lines of another shape, by file: told, not judged. */
  readonly others: Readonly<Record<string, number>>;
}

/** Throws QUALITY_UNKNOWN (exit 4) where there is nothing to judge or a line is not JSON: silence is never good quality. */
export function readSets(dir: string): Sets {
  const files = statSync(dir, { throwIfNoEntry: false })?.isDirectory()
    ? globSync('**/*.jsonl', { cwd: dir }).sort()
    : [];
  const [tools, patches, drifts]: [ToolRecord[], PatchRecord[], DriftRecord[]] = [[], [], []];
  const others: Record<string, number> = {};
  for (const file of files) {
    const source = basename(file, '.jsonl');
    for (const line of linesOf(join(dir, file))) {
      if (isObject(line.tool) && typeof line.label === 'string') tools.push(toolOf(line, source));
      else if (Array.isArray(line.patch) && typeof line.base === 'string')
        patches.push(patchOf(line, source, join(dir, dirname(file), line.base)));
      else {
        const drift = driftOf(line, source, join(dir, dirname(file)));
        if (drift) drifts.push(drift);
        else others[source] = (others[source] ?? 0) + 1;
      }
    }
  }
  if (tools.length + patches.length === 0)
    throw unknownQuality(`labelled sets (*.jsonl) under ${dir}`, `${files.length} files, none with a label`);
  return { tools, patches, drifts, others };
}

export function unknownQuality(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('QUALITY_UNKNOWN', {
    expected,
    found,
    next: 'Name the folder that holds them with --data',
  });
}

function linesOf(path: string): JsonObject[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((text, index) => ({ text, line: index + 1 }))
    .filter(({ text }) => text.trim() !== '')
    .map(({ text, line }) => {
      const value = parsed(text);
      if (!isObject(value)) throw unknownQuality(`one JSON object a line in ${path}`, `line ${line} is none`);
      return value;
    });
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

function toolOf(record: JsonObject, source: string): ToolRecord {
  const { id, label, attack_class, scope, server, version, tool, peers } = record;
  return {
    id: said(id) ?? '(no id)',
    source,
    malicious: label === 'malicious',
    attackClass: said(attack_class) ?? 'none',
    scope: said(scope) ?? 'none',
    server: said(server) ?? null,
    version: said(version) ?? '',
    tool: named(tool as JsonObject),
    peers: (Array.isArray(peers) ? peers : []).filter(isObject).map((peer) =>
      // Either a tool of another server, or a tool alone.
      isObject(peer.tool)
        ? { server: said(peer.server) ?? 'another', tool: named(peer.tool) }
        : { server: 'another', tool: named(peer) },
    ),
  };
}

function patchOf(record: JsonObject, source: string, manifest: string): PatchRecord {
  return {
    id: said(record.id) ?? '(no id)',
    source,
    label: said(record.label) ?? 'malicious',
    kind: said(record.kind) ?? 'unknown',
    manifest,
    patch: record.patch as unknown as PatchRecord['patch'],
  };
}

/** Records of texts alone leave out what every tool on the wire has. */
function named(tool: JsonObject): JsonObject & { name: string } {
  return { inputSchema: { type: 'object' }, ...tool, name: said(tool.name) ?? 'unnamed' };
}

const said = (value: Json | undefined): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
