/** The audit configuration of this machine: one file, for whoever runs servers on it. */
import { isObject, type Json } from '../schemas/common.ts';
import { quote } from '../schemas/errors.ts';
import { AuditConfig, NO_AUDIT_CONFIG, SINK_KINDS } from '../schemas/sinks.ts';
import type { TSchema } from '../schemas/type.ts';
import { assertValid } from '../schemas/validate.ts';
import type { CliConfig } from './config.ts';
import { readMachineFile } from './machine-file.ts';

/** Throws CONFIG_INVALID: what was meant to be told to somebody is not quietly kept to oneself. */
export async function readAuditConfig(file: CliConfig['audit']): Promise<AuditConfig> {
  const value = await readMachineFile(file, {
    what: 'the audit configuration',
    page: 'docs/audit.md',
    variable: 'LOCKKEEPER_AUDIT',
  });
  if (value === null) return NO_AUDIT_CONFIG;
  assertKinds(value, file.path);
  return assertValid(AuditConfig, value, file.path, 'CONFIG_INVALID');
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
