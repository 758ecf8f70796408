import { type Check, finding, firedOr } from './check.ts';

export const eras: Check = {
  id: 'LK-SRF-03',
  title: 'The same surface in every protocol era it speaks',
  owasp: 'MCP03',
  run: ({ eraNote, surface }) =>
    firedOr(
      eraNote === null
        ? []
        : [finding('medium', eraNote, [{ kind: 'fact', source: 'observation', value: eraNote }])],
      surface.capture.eras.join(' and '),
    ),
};
