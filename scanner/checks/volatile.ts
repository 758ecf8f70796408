import { type Check, excerpt, finding, firedOr } from './check.ts';
import { textsOf } from './texts.ts';

/** What differs from start to start is held to no pin: an approval says nothing about it. */
export const volatile: Check = {
  id: 'LK-SRF-04',
  title: 'Everything a model reads is pinned',
  owasp: 'MCP03',
  run: ({ surface }) => {
    const texts = new Map(textsOf(surface).map(({ at, text }) => [at, text]));
    const findings = surface.volatile.map((at) => {
      const shown = texts.get(at) ?? '(more than one value)';
      const severity = /^\/(?:tools|prompts|instructions)\b/.test(at) ? 'high' : 'medium';
      return finding(severity, `${at} differs between two starts and is not pinned`, [
        { kind: 'text', at, excerpt: excerpt(shown) },
      ]);
    });
    return firedOr(findings, 'two starts on different days showed the same');
  },
};
