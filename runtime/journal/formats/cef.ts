/** Records as the Common Event Format, version 0: a header with pipes and an extension of `key=value`. */
import type { AuditRecord } from '../../../schemas/audit.ts';
import { VERSION } from '../../../schemas/version.ts';
import { endpointOf, type Level, levelOf, titleOf, uidOf } from './facts.ts';
import { clean, jsonLine } from './text.ts';

const SEVERITY: Readonly<Record<Level, number>> = { info: 2, notice: 4, warning: 7, error: 9 };

const header = (text: string): string => clean(text, 255).replace(/[\\|]/g, '\\$&');
const value = (text: string): string => text.replace(/[\\=]/g, '\\$&');

/** Lengths are those of the format's dictionary. */
const LENGTHS: Readonly<Record<string, number>> = {
  act: 63,
  outcome: 63,
  externalId: 96,
  deviceExternalId: 255,
  app: 31,
  duser: 1023,
};

export function cef(record: AuditRecord, cut: boolean): string {
  const { body } = record;
  const head = ['CEF:0', 'Lockkeeper', 'Lockkeeper', VERSION, body.kind, titleOf(body.kind)];
  const fields = extension(record, cut).flatMap(([name, found]) =>
    found === undefined ? [] : [`${name}=${value(clean(String(found), LENGTHS[name] ?? 1023))}`],
  );
  return `${head.map((part) => header(part)).join('|')}|${SEVERITY[levelOf(body)]}|${fields.join(' ')}`;
}

type Field = readonly [string, string | number | undefined];

function extension(record: AuditRecord, cut: boolean): Field[] {
  const { body } = record;
  const { subject, caller } = body;
  const to = endpointOf(body);
  return [
    ['rt', Date.parse(body.at)],
    ['externalId', uidOf(record)],
    ['deviceExternalId', body.runtime],
    ['app', 'mcp'],
    ['suser', body.user],
    ['act', body.direction],
    ['outcome', body.outcome],
    ['reason', body.code],
    ['requestMethod', body.method],
    ['destinationServiceName', subject?.server],
    ['dhost', to?.host],
    ['dpt', to?.port],
    ['msg', body.message],
    ['in', body.bytes],
    ...labelled('cn1', 'sequence', record.seq),
    ...labelled('cn2', 'durationMs', body.durationMs === undefined ? undefined : Math.round(body.durationMs)),
    ...labelled('cs1', 'tool', body.target),
    ...labelled('cs2', 'teams', caller && [caller.via, ...caller.teams].join(' ')),
    ...labelled('cs3', 'version', subject?.version),
    ...labelled('cs4', 'rule', body.decision?.rule),
    ...labelled(
      'cs5',
      'arguments',
      body.arguments === undefined ? body.argumentsDigest : jsonLine(body.arguments),
    ),
    ...labelled('cs6', 'data', body.data?.join(' ')),
    ['cat', cut ? 'cut' : 'whole'],
  ];
}

/** A custom field and what it means; neither where there is nothing. */
function labelled(name: string, label: string, found: string | number | undefined): Field[] {
  return found === undefined
    ? []
    : [
        [name, found],
        [`${name}Label`, label],
      ];
}
