import type { Standing } from '../provenance/standing.ts';
import { type Check, finding, type Outcome, ok, unknown } from './check.ts';

/** An attestation that is there has to hold; that there is none is told, and weighed by its rank. */
export const attestations: Check = {
  id: 'LK-PRV-01',
  title: 'Attestations hold',
  owasp: 'MCP04',
  about: 'package or image',
  gatesFiredOnly: true,
  readsAttested: true,
  run: ({ attested }) => {
    if (typeof attested === 'string') return unknown(attested);
    const { publish, build } = attested;
    const both = [
      ['publish attestation', publish],
      ['provenance', build],
    ] as const;
    const findings = both.flatMap(([name, standing]) => brokenIn(name, standing));
    if (findings.length > 0) return { outcome: 'fired', findings };
    const reason = both.flatMap(([, one]) => (one.state === 'unknown' ? [one.reason] : []))[0];
    return reason === undefined ? told(both) : unknown(reason);
  },
};

/** What is about something else is another check's to tell. */
function told(both: readonly (readonly [string, Standing<unknown>])[]): Outcome {
  if (both.some(([, { state }]) => state === 'broken'))
    return unknown('one is about something else: LK-PRV-02');
  const held = both.flatMap(([name, { state }]) => (state === 'held' ? [name] : []));
  const notes = both.flatMap(([, one]) => (one.state === 'absent' ? [one.note] : []));
  return ok(held.length > 0 ? `${held.join(' and ')}, verified offline` : `none: ${notes[0] ?? ''}`);
}

function brokenIn(name: string, standing: Standing<unknown>): ReturnType<typeof finding>[] {
  if (standing.state !== 'broken' || standing.code === 'PROVENANCE_SUBJECT') return [];
  const evidence = [{ kind: 'fact', source: standing.code, value: standing.message.slice(0, 1000) }] as const;
  return [finding('critical', `the ${name} does not hold: ${standing.message}`, evidence)];
}
