import { type Check, finding, firedOr } from './check.ts';

/** Whom a server tried to reach just by being started and asked what it can do. */
export const egress: Check = {
  id: 'LK-BEH-01',
  title: 'No connection tried while observed',
  owasp: 'MCP10',
  run: ({ egress: events }) =>
    firedOr(
      events.map((event) =>
        finding('high', `it tried to reach ${event.host}:${event.port}`, [
          {
            kind: 'fact',
            source: `sandbox, ${event.via}`,
            value: `${event.host}:${event.port}: ${event.reason}`,
          },
        ]),
      ),
      'it started and showed its surface without trying',
    ),
};
