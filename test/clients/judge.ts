/** What the journal says of one run, and whether that and what the client printed is what it should be. */
import { overtaken } from '../../runtime/session/era.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { Era } from '../../schemas/surface.ts';
import { type Client, type Face, isAdopted, isStdio } from './client.ts';
import type { ServerAlias } from './world.ts';

/** Said once --undo brought back every byte. */
export const UNDONE = 'the file is as it was before';

const META = 'io.modelcontextprotocol/';

/** What is known once a client has ended. */
export interface Taken {
  readonly client: Client;
  readonly face: Face;
  readonly server: ServerAlias;
  readonly message: string;
  readonly said: string;
  /** Of the whole run, oldest first. */
  readonly records: readonly AuditBody[];
  /** Hosts that it wanted to reach, and was not let. */
  readonly beyond: readonly string[];
}

export interface Row {
  readonly client: string;
  /** As it told the server. */
  readonly version: string;
  readonly face: Face;
  readonly server: ServerAlias;
  readonly opened: string;
  readonly era: Era | 'none';
  readonly listed: boolean;
  readonly called: boolean;
  /** How the call ended, by its record. */
  readonly recorded: string;
  readonly beyond: readonly string[];
  /** What is not as it should be; empty when the row holds. */
  readonly wrong: readonly string[];
  /** What is not there, and the named reason that it need not be. */
  readonly explained: readonly string[];
}

/** A name with its mode. */
export function nameOf({ name, mode }: Client): string {
  return mode === undefined ? name : `${name} ${mode}`;
}

/** The call of this run that went to the server, if one did. */
export function callIn(records: readonly AuditBody[], message: string): AuditBody | undefined {
  return records.find(
    ({ kind, method, target, arguments: given }) =>
      kind === 'request.forwarded' &&
      method === 'tools/call' &&
      target === 'echo' &&
      isObject(given) &&
      given.message === message,
  );
}

/** How it ended, once that is on the disk. */
export function endOf(records: readonly AuditBody[], call: AuditBody): AuditBody | undefined {
  return records.find(({ kind, call: id }) => kind === 'request.finished' && id === call.call);
}

/** Every claim of the table, each from the journal, and what was printed beside. */
export function judge({ client, face, server, message, said, records, beyond }: Taken): Row {
  const call = callIn(records, message);
  const end = call && endOf(records, call);
  const [era, who] = call ? metBy(records, call) : (['none', null] as const);
  const opened = records.find(
    ({ method }) => method === 'server/discover' || method === 'initialize',
  )?.method;
  const opens = (isStdio(face) ? client.opensStdio : undefined) ?? client.opens;
  // Whatever its server speaks, a client is met in the era that it begins.
  const expected: Era = opens === 'server/discover' ? 'stateless' : 'session';
  const listed = records.some(({ kind, method }) => kind === 'request.finished' && method === 'tools/list');
  const unended = call !== undefined && end === undefined;
  const isExplained = unended && isStdio(face) && client.leaves !== undefined;
  const isHasty = isStdio(face) && era === 'session' && expected === 'stateless' && didNotWait(records);
  const claims: readonly (readonly [boolean, string])[] = [
    [call !== undefined, 'no call is in the journal'],
    [!unended || isExplained, 'the journal does not say how the call ended'],
    [end === undefined || end.outcome === 'ok', `the call ended ${end?.outcome}`],
    [opened === opens, `it began with ${opened ?? 'nothing'}, not ${opens}`],
    [era === expected || isHasty, `it called in the era ${era}, not ${expected}`],
    [listed, 'it listed no tools'],
    [who?.name === client.calls, `it called itself ${who?.name ?? 'nothing'}, not ${client.calls}`],
    [who?.version === client.version, `it was version ${who?.version ?? 'none'}, not ${client.version}`],
    [call === undefined || call.user === 'erin', `it called as ${call?.user}`],
    [said.includes(`echo: ${message}`), 'it did not print what the tool answered'],
    [!isAdopted(face) || said.includes(UNDONE), 'its file is not as it was before'],
  ];
  return {
    client: nameOf(client),
    version: String(who?.version ?? client.version),
    face,
    server,
    opened: opened ?? 'nothing',
    era,
    listed,
    called: call !== undefined,
    recorded: end?.outcome ?? (call ? 'as made' : 'no'),
    beyond,
    wrong: claims.filter(([holds]) => !holds).map(([, why]) => why),
    explained: [
      ...(isExplained ? [`no record of how the call ended: ${client.leaves}`] : []),
      ...(isHasty
        ? ['it asked which eras there are, and began a session before its server had started']
        : []),
    ],
  };
}

/** Whether its server/discover was not refused for anything but that a session was begun before the answer. */
function didNotWait(records: readonly AuditBody[]): boolean {
  const begun = records.some(
    ({ kind, detail }) => kind === 'session.started' && isObject(detail) && detail.era === 'session',
  );
  const asked = records.filter(
    ({ method, kind }) => method === 'server/discover' && kind === 'request.refused',
  );
  return begun && asked.length > 0 && asked.every(({ message }) => message === overtaken().message);
}

/** The era of a call and who made it: by its own envelope, or by the greeting of its session. */
function metBy(records: readonly AuditBody[], call: AuditBody): readonly [Era | 'none', JsonObject | null] {
  const meta = isObject(call.detail) && isObject(call.detail._meta) ? call.detail._meta : {};
  const own = meta[`${META}clientInfo`];
  if (meta[`${META}protocolVersion`] !== undefined) return ['stateless', isObject(own) ? own : null];
  const started = records.find(({ kind, session }) => kind === 'session.started' && session === call.session);
  const { detail } = started ?? {};
  if (!isObject(detail)) return ['none', null];
  return [detail.era as Era, isObject(detail.client) ? detail.client : null];
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
