import { type Check, finding, ok, unknown } from './check.ts';

/** What is approved is what a scanner was shown: a server that knows whom it speaks to can show others something else. */
export const sameForClients: Check = {
  id: 'LK-SRF-06',
  title: 'The same surface whatever its client is called',
  owasp: 'MCP03',
  run: ({ byClient: { client, differs, failed } }) => {
    if (failed !== null) return unknown(`started for a client called ${client}: ${failed}`);
    if (differs.length === 0) return ok(`the same for a client called ${client}`);
    const shown = differs.slice(0, 5).join(', ');
    const more = differs.length > 5 ? ` and ${differs.length - 5} more` : '';
    const message = `a client called ${client} is shown something else at ${shown}${more}`;
    const evidence = differs.map((value) => ({ kind: 'fact', source: 'observation', value }) as const);
    return { outcome: 'fired', findings: [finding('critical', message, evidence)] };
  },
};
