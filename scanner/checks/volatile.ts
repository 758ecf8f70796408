import { apart } from '../excerpt.ts';
import { type Check, excerpt, finding, firedOr } from './check.ts';
import { textsOf } from './texts.ts';

const MANY = '(more than one value)';
/** Characters of a text that are shown whole. */
const SHOWN = 80;

/** What differs from start to start is held to no pin: an approval says nothing about it. */
export const volatile: Check = {
  id: 'LK-SRF-04',
  title: 'Everything a model reads is pinned',
  owasp: 'MCP03',
  run: ({ surface, other }) => {
    const [first, second] = [surface, other].map(
      (one) => new Map(textsOf(one).map(({ at, text }) => [at, text])),
    );
    const findings = surface.volatile.map((at) => {
      const [before, after] = apart(first?.get(at) ?? MANY, second?.get(at) ?? MANY, SHOWN);
      const severity = /^\/(?:tools|prompts|instructions)\b/.test(at) ? 'high' : 'medium';
      return finding(severity, `${at} differs between two starts and is not pinned`, [
        { kind: 'change', at, before: excerpt(before), after: excerpt(after) },
      ]);
    });
    return firedOr(findings, 'two starts on different days showed the same');
  },
};
