/** Records as events of the Open Cybersecurity Schema Framework: API calls, connections, lives, findings. */
import type { AuditBody, AuditKind, AuditRecord } from '../../../schemas/audit.ts';
import { VERSION } from '../../../schemas/version.ts';
import { endpointOf, type Level, levelOf, titleOf, uidOf } from './facts.ts';

const OCSF = '1.3.0';
const SEVERITY: Readonly<Record<Level, number>> = { info: 1, notice: 2, warning: 3, error: 4 };

interface Class {
  readonly uid: number;
  readonly activity: number;
}
const API = 6003;
const LIFE = 6002;
const NETWORK = 4001;
const FINDING = 2004;
const OTHER = 99;

const CLASSES: Partial<Record<AuditKind, Class>> = {
  'session.started': { uid: LIFE, activity: 3 },
  'session.ended': { uid: LIFE, activity: 4 },
  'session.refused': { uid: LIFE, activity: OTHER },
  'server.state': { uid: LIFE, activity: OTHER },
  'journal.recovered': { uid: LIFE, activity: OTHER },
  'journal.pruned': { uid: LIFE, activity: OTHER },
  'journal.lost': { uid: LIFE, activity: OTHER },
  'flows.forgotten': { uid: LIFE, activity: OTHER },
  'egress.allowed': { uid: NETWORK, activity: 1 },
  'egress.refused': { uid: NETWORK, activity: 5 },
  'surface.drift': { uid: FINDING, activity: 1 },
  quarantined: { uid: FINDING, activity: 1 },
  'content.flagged': { uid: FINDING, activity: 1 },
};

/** Methods that change nothing are reads; what a tool does, only its server knows. */
function classOf({ kind, method = '' }: AuditBody): Class {
  const known = CLASSES[kind];
  if (known) return known;
  return { uid: API, activity: /\/(?:list|read|get)$/.test(method) ? 2 : OTHER };
}

export function ocsf(record: AuditRecord, host: string, cut: boolean): Record<string, unknown> {
  const { body } = record;
  const { uid, activity } = classOf(body);
  return {
    ...common(record, { uid, activity }, cut),
    ...(uid === API ? apiOf(record, host) : {}),
    ...(uid === LIFE ? { app: appOf(body) } : {}),
    ...(uid === NETWORK ? networkOf(body, host) : {}),
    ...(uid === FINDING ? { finding_info: findingOf(record), is_alert: true } : {}),
    ...(uid === API ? {} : { actor: actorOf(body) }),
  };
}

/** What a control decided, under the names of the security control profile. */
function controlOf({ kind, outcome }: AuditBody): Record<string, unknown> {
  const denied = outcome === 'refused' || kind === 'call.rejected' || kind === 'quarantined';
  const disposition = kind === 'quarantined' ? 3 : denied ? 2 : 1;
  return { action_id: denied ? 2 : 1, disposition_id: disposition };
}

function statusOf({ outcome }: AuditBody): number {
  return outcome === undefined ? 0 : outcome === 'ok' ? 1 : 2;
}

function common(record: AuditRecord, { uid, activity }: Class, cut: boolean): Record<string, unknown> {
  const { seq, prev, digest, body } = record;
  const profiles = uid === API ? ['security_control'] : ['security_control', 'host'];
  return {
    class_uid: uid,
    category_uid: Math.floor(uid / 1000),
    activity_id: activity,
    ...(activity === OTHER ? { activity_name: titleOf(body.kind) } : {}),
    type_uid: uid * 100 + activity,
    time: Date.parse(body.at),
    severity_id: SEVERITY[levelOf(body)],
    status_id: statusOf(body),
    ...(body.outcome === undefined ? {} : { status: body.outcome }),
    ...(body.code === undefined ? {} : { status_code: body.code }),
    message: body.message ?? titleOf(body.kind),
    ...(body.durationMs === undefined ? {} : { duration: Math.round(body.durationMs) }),
    ...controlOf(body),
    metadata: {
      version: OCSF,
      product: { name: 'Lockkeeper', vendor_name: 'Lockkeeper', version: VERSION },
      uid: uidOf(record),
      event_code: body.kind,
      log_name: body.runtime,
      sequence: seq,
      original_time: body.at,
      ...(body.call === undefined ? {} : { correlation_uid: body.call }),
      profiles,
    },
    // What the framework has no name for, and what proves the record against its journal.
    unmapped: {
      prev,
      digest,
      cut,
      direction: body.direction,
      bytes: body.bytes,
      subject: body.subject,
      decision: body.decision,
      arguments_digest: body.argumentsDigest,
      result: body.result,
      data: body.data,
      detail: body.detail,
    },
  };
}

function actorOf({ user, caller, session }: AuditBody): Record<string, unknown> {
  return {
    user: {
      name: user,
      uid: user,
      type_id: user === '-' ? 3 : 1,
      ...(caller ? { groups: caller.teams.map((name) => ({ name })) } : {}),
    },
    session: { uid: session, ...(caller ? { issuer: caller.via } : {}) },
  };
}

function apiOf({ body }: AuditRecord, host: string): Record<string, unknown> {
  const { method, target, subject, call, code } = body;
  return {
    actor: actorOf(body),
    src_endpoint: { hostname: host, name: body.session },
    api: {
      operation: method ?? titleOf(body.kind),
      ...(subject ? { service: { name: subject.server, version: subject.version } } : {}),
      request: { uid: call ?? '-', ...(body.arguments === undefined ? {} : { data: body.arguments }) },
      ...(code === undefined ? {} : { response: { error: code } }),
    },
    ...(target === undefined ? {} : { resources: [{ name: target, type: typeOf(method) }] }),
  };
}

function typeOf(method = ''): string {
  return method.startsWith('prompts/') ? 'prompt' : method.startsWith('resources/') ? 'resource' : 'tool';
}

function appOf({ subject }: AuditBody): Record<string, unknown> {
  return {
    name: subject?.server ?? 'Lockkeeper',
    vendor_name: subject?.server.split('/')[0] ?? 'Lockkeeper',
    version: subject?.version ?? VERSION,
  };
}

function networkOf(body: AuditBody, host: string): Record<string, unknown> {
  const to = endpointOf(body);
  return {
    src_endpoint: { hostname: host, svc_name: body.subject?.server ?? '-' },
    dst_endpoint: to ? { hostname: to.host, port: to.port } : { hostname: '-' },
    connection_info: { direction_id: 2, protocol_name: 'tcp' },
    device: { hostname: host, type_id: 0 },
  };
}

function findingOf(record: AuditRecord): Record<string, unknown> {
  const { body } = record;
  return {
    uid: uidOf(record),
    title: `${titleOf(body.kind)}${body.subject ? `: ${body.subject.server}` : ''}`,
    created_time: Date.parse(body.at),
    product: { name: 'Lockkeeper', vendor_name: 'Lockkeeper', version: VERSION },
    types: [body.code ?? body.kind],
  };
}
