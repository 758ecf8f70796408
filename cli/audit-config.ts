/** The audit configuration of this machine: one file, for whoever runs servers on it. */
import { constants, open } from 'node:fs/promises';
import type { TSchema } from 'typebox';
import type { Json, JsonObject } from '../schemas/common.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import { AuditConfig, NO_AUDIT_CONFIG, SINK_KINDS } from '../schemas/sinks.ts';
import { assertValid } from '../schemas/validate.ts';
import type { CliConfig } from './config.ts';

const MAX_BYTES = 1024 * 1024;

/** Throws CONFIG_INVALID: what was meant to be told to somebody is not quietly kept to oneself. */
export async function readAuditConfig({ path, wanted }: CliConfig['audit']): Promise<AuditConfig> {
  const bytes = await readWhole(path);
  if (bytes === null && !wanted) return NO_AUDIT_CONFIG;
  if (bytes === null) throw invalid(path, 'no such file');
  let value: Json;
  try {
    value = parseStrict(bytes);
  } catch (cause) {
    throw invalid(path, cause instanceof LockkeeperError ? cause.found : String(cause), cause);
  }
  assertKinds(value, path);
  return assertValid(AuditConfig, value, path, 'CONFIG_INVALID');
}

/** Each sink by its own kind first: a union of four would complain of all of them. */
function assertKinds(value: Json, path: string): void {
  const sinks = isObject(value) && isObject(value.sinks) ? value.sinks : {};
  for (const [name, sink] of Object.entries(sinks)) {
    const kind = isObject(sink) && typeof sink.kind === 'string' ? sink.kind : '';
    if (!Object.hasOwn(SINK_KINDS, kind)) continue;
    const schema = SINK_KINDS[kind as keyof typeof SINK_KINDS];
    assertValid<TSchema>(schema, sink, `the sink ${quote(name, 60)} in ${path}`, 'CONFIG_INVALID');
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

async function readWhole(path: string): Promise<Buffer | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw invalid(path, error.code ?? error.message, error);
    },
  );
  if (file === null) return null;
  try {
    const stat = await file.stat();
    if (stat.isFile() && stat.size <= MAX_BYTES) return await file.readFile();
    throw invalid(path, stat.isFile() ? `${stat.size} bytes` : 'something that is no file');
  } finally {
    await file.close();
  }
}

function invalid(path: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `the audit configuration in ${quote(path)}`,
    found,
    next: 'Correct it (docs/audit.md), or name another file in LOCKKEEPER_AUDIT',
    cause,
  });
}
