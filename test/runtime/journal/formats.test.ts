import { describe, expect, it } from 'vitest';
import { render } from '../../../runtime/journal/formats/render.ts';
import { clean, jsonLine } from '../../../runtime/journal/formats/text.ts';
import { EXAMPLE_ENTERPRISE, message } from '../../../runtime/journal/sinks/syslog.ts';
import { AuditBody, AuditRecord, chainDefect, link } from '../../../schemas/audit.ts';
import { isValid } from '../../../schemas/validate.ts';
import { bodyOf } from '../../helpers/journals.ts';

const digest = `sha256:${'a'.repeat(64)}` as const;
const subject = {
  server: 'io.github.acme/weather',
  version: '1.2.3',
  lock: digest,
  closure: digest,
  surface: digest,
  approvedBy: ['alice', 'bob'],
};
const call = bodyOf(7, {
  caller: { via: 'jwt', teams: ['data', 'interns'] },
  subject,
  method: 'tools/call',
  target: 'read_file',
  arguments: { path: '/srv/x' },
  outcome: 'ok',
  data: ['/srv/x'],
  durationMs: 4.2,
  decision: { policy: digest, rule: 'interns-read' },
});
const shown = (body: AuditBody, format: 'native' | 'ocsf' | 'cef', maxBytes = 1e6): string =>
  render(link(12, null, body), { format, host: 'h1', maxBytes });
const ocsfOf = (body: AuditBody): Record<string, Record<string, unknown>> => JSON.parse(shown(body, 'ocsf'));

/** Header fields and extension of a CEF line, read as the format says. */
function readCef(line: string): { head: string[]; fields: Record<string, string> } {
  const parts = [...line.matchAll(/((?:\\.|[^\\|])*)\|/g)].slice(0, 7);
  const head = parts.map(([, part = '']) => part.replace(/\\(.)/g, '$1'));
  const rest = line.slice(parts.reduce((sum, [whole]) => sum + whole.length, 0));
  const fields: Record<string, string> = {};
  for (const [, key = '', value = ''] of rest.matchAll(/(\w+)=((?:\\.|[^\\=])*?)(?= \w+=|$)/gs))
    fields[key] = value.replace(/\\(.)/g, '$1');
  return { head, fields };
}

/** What nobody should be able to say in a line of their own. */
const HOSTILE = 'a\nCEF:0|x|y=z\\ "]\r\n<13>1 \u0000\u001b[2J\u2028\u202e\u{e0041}|=\\\ud800 ]"';
const hostile = bodyOf(1, {
  user: HOSTILE,
  session: HOSTILE,
  caller: { via: HOSTILE, teams: [HOSTILE, HOSTILE] },
  subject: { ...subject, server: HOSTILE, version: HOSTILE },
  method: HOSTILE,
  target: HOSTILE,
  arguments: { [HOSTILE]: [HOSTILE] },
  data: [HOSTILE],
  outcome: 'refused',
  code: HOSTILE,
  message: HOSTILE,
  detail: { x: HOSTILE },
  decision: { policy: digest, rule: HOSTILE },
});
const huge = Object.fromEntries(
  Object.entries(hostile).map(([name, value]) => [
    name,
    typeof value === 'string' && !['kind', 'at', 'runtime', 'outcome'].includes(name)
      ? value.repeat(5000)
      : value,
  ]),
) as AuditBody;

describe('every format', () => {
  it.each(['native', 'ocsf', 'cef'] as const)('carries the caller, the teams and the tool: %s', (format) => {
    const text = shown(call, format);
    for (const word of [
      'ada',
      'data',
      'interns',
      'jwt',
      'read_file',
      'io.github.acme/weather',
      'request.forwarded',
    ])
      expect(text).toContain(word);
  });

  it.each(['native', 'ocsf', 'cef'] as const)(
    'is one bounded line of visible text, whatever was said: %s',
    (format) => {
      for (const body of [hostile, huge])
        for (const maxBytes of [2048, 8192, 100_000]) {
          const text = shown(body, format, maxBytes);
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
          expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]|[\u{e0020}-\u{e007f}]/u);
          expect(text.isWellFormed()).toBe(true);
          if (format !== 'cef') expect(() => JSON.parse(text)).not.toThrow();
        }
    },
  );

  it.each(AuditBody.properties.kind.anyOf.map((kind) => kind.const))('knows %s', (kind) => {
    const body = { ...call, kind, data: ['db.example.com:5432'] };
    expect(JSON.parse(shown(body, 'ocsf')).metadata.event_code).toBe(kind);
    expect(readCef(shown(body, 'cef')).head[4]).toBe(kind);
    expect(JSON.parse(shown(body, 'native')).body.kind).toBe(kind);
  });
});

describe('native', () => {
  it('is the record itself: whoever gets it can check its digest', () => {
    for (const body of [call, hostile]) {
      const record: unknown = JSON.parse(shown(body, 'native'));
      if (!isValid(AuditRecord, record)) throw new Error('no record');
      // A lone surrogate has no form in UTF-8: the journal's own redaction makes texts well formed.
      if (body === call) expect(chainDefect(record, 12, null)).toBeNull();
    }
  });

  it('says when it was cut, and keeps the digest of the arguments', () => {
    const text = shown(
      { ...call, arguments: { x: 'y'.repeat(50_000) }, argumentsDigest: digest },
      'native',
      8192,
    );
    expect(JSON.parse(text)).toMatchObject({
      cut: true,
      body: { argumentsDigest: digest, target: 'read_file' },
    });
    expect(text).not.toContain('yyyy');
  });
});

describe('ocsf', () => {
  it('tells a call as API activity, with what that class asks for', () => {
    const event = ocsfOf(call);
    expect(event).toMatchObject({
      class_uid: 6003,
      category_uid: 6,
      activity_id: 99,
      type_uid: 600_399,
      time: Date.parse(call.at),
      severity_id: 1,
      status_id: 1,
      action_id: 1,
      disposition_id: 1,
      actor: {
        user: { name: 'ada', groups: [{ name: 'data' }, { name: 'interns' }] },
        session: { uid: 's', issuer: 'jwt' },
      },
      api: { operation: 'tools/call', service: { name: 'io.github.acme/weather', version: '1.2.3' } },
      resources: [{ name: 'read_file', type: 'tool' }],
      src_endpoint: { hostname: 'h1' },
      metadata: { version: '1.3.0', uid: 'j#12', sequence: 12, correlation_uid: '7' },
    });
  });

  it.each<[AuditBody['kind'], number, string]>([
    ['request.refused', 6003, 'api'],
    ['session.started', 6002, 'app'],
    ['egress.refused', 4001, 'dst_endpoint'],
    ['surface.drift', 2004, 'finding_info'],
  ])('tells %s as class %i, with its %s and the caller', (kind, uid, asked) => {
    const event = ocsfOf({ ...call, kind, outcome: 'refused', data: ['[2001:db8::1]:443'] });
    expect(event.class_uid).toBe(uid);
    expect(event.type_uid).toBe(uid * 100 + Number(event.activity_id));
    expect(event[asked]).toBeDefined();
    expect(event.actor).toMatchObject({ user: { name: 'ada' } });
    expect([event.action_id, event.disposition_id, event.status_id]).toEqual([2, 2, 2]);
    if (uid === 4001) expect(event.dst_endpoint).toEqual({ hostname: '[2001:db8::1]', port: 443 });
  });
});

describe('cef', () => {
  it('has the header and the fields that its dictionary names', () => {
    const { head, fields } = readCef(shown(call, 'cef'));
    expect(head.slice(0, 3)).toEqual(['CEF:0', 'Lockkeeper', 'Lockkeeper']);
    expect(head.slice(4)).toEqual(['request.forwarded', 'request forwarded', '2']);
    expect(fields).toMatchObject({
      suser: 'ada',
      externalId: 'j#12',
      rt: String(Date.parse(call.at)),
      outcome: 'ok',
      requestMethod: 'tools/call',
      destinationServiceName: 'io.github.acme/weather',
      cs1: 'read_file',
      cs1Label: 'tool',
      cs2: 'jwt data interns',
      cs2Label: 'teams',
      cs4: 'interns-read',
      cs5: '{"path":"/srv/x"}',
      cn1: '12',
      cn1Label: 'sequence',
    });
  });

  it('lets no text add a field, a header or a line', () => {
    const tame = JSON.parse(JSON.stringify(hostile).replaceAll(JSON.stringify(HOSTILE), '"x"')) as AuditBody;
    const plain = readCef(shown(tame, 'cef'));
    expect(plain.fields.suser).toBe('x');
    const { head, fields } = readCef(shown(hostile, 'cef'));
    expect(Object.keys(fields)).toEqual(Object.keys(plain.fields));
    expect(head).toHaveLength(7);
    expect(fields.suser).toBe(clean(HOSTILE, 1023));
    expect(fields.suser).toContain('CEF:0|x|y=z\\');
  });
});

describe('syslog', () => {
  const rendering = { format: 'cef', host: 'h 1\n', maxBytes: 8192 } as const;
  const options = {
    name: 's',
    host: 'x',
    port: 1,
    serverName: 'x',
    ca: null,
    client: null,
    enterprise: 5,
    rendering,
  };
  const SHAPE =
    /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) \[((?:\\.|[^\\\]])*)\] (.*)$/su;

  it('is one RFC 5424 message: priority, header, structured data, record', () => {
    const [, pri, at, host, app, process, id, data, rest] =
      SHAPE.exec(message(link(12, null, call), options)) ?? [];
    expect([pri, at, host, app, process, id]).toEqual([
      '110',
      call.at,
      'h-1-',
      'lockkeeper',
      'j',
      'request.forwarded',
    ]);
    expect(data).toBe(
      'lockkeeper@5 seq="12" user="ada" via="jwt" teams="data,interns" server="io.github.acme/weather" version="1.2.3" target="read_file" outcome="ok"',
    );
    expect(rest).toMatch(/^CEF:0\|/);
    expect(EXAMPLE_ENTERPRISE).toBe(32_473);
  });

  it.each(['native', 'ocsf', 'cef'] as const)(
    'holds what is hostile or huge within its bytes: %s',
    (format) => {
      for (const body of [hostile, huge]) {
        const text = message(link(1, null, body), {
          ...options,
          rendering: { ...rendering, format, maxBytes: 4096 },
        });
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
        const [, , , , , , , data = '', rest = ''] = SHAPE.exec(text) ?? [];
        expect([...data.matchAll(/ (\w+)="((?:\\.|[^\\"])*)"/g)].map(([, name]) => name)).toEqual([
          'seq',
          'user',
          'via',
          'teams',
          'server',
          'version',
          'target',
          'outcome',
          'code',
        ]);
        expect(rest).toContain('request.forwarded');
      }
    },
  );

  it('warns where something was refused', () => {
    const refused = { ...call, kind: 'request.refused' as const, outcome: 'refused' as const };
    expect(message(link(1, null, refused), options)).toMatch(/^<108>1 /);
    expect(message(link(1, null, { ...call, kind: 'quarantined' }), options)).toMatch(/^<107>1 /);
  });
});

describe('JSON on one line', () => {
  it('is the same value', () => {
    const value = { [HOSTILE.toWellFormed()]: HOSTILE.toWellFormed() };
    expect(JSON.parse(jsonLine(value))).toEqual(value);
  });
});
