import { type Check, excerpt, finding, firedOr } from './check.ts';
import { textsOf } from './texts.ts';

/** Sentences that speak to the model about something else than the tool. Each rule explains itself in a report. */
export const RULES: readonly (readonly [RegExp, string])[] = [
  [
    /\b(ignore|disregard|forget|override)\b.{0,30}\b(previous|prior|above|earlier|all|other|system)\b.{0,20}\b(instruction|prompt|rule|message|guideline)/i,
    'tells the model to ignore its instructions',
  ],
  [
    /\b(do not|don't|never|without)\b.{0,40}\b(tell|inform|mention|reveal|show|notify|alert|telling|informing|mentioning)\b.{0,40}\b(user|human|them|anyone)\b/i,
    'asks for secrecy towards the user',
  ],
  [
    /<\s*(important|system|secret|instructions?|hidden|admin)\s*>/i,
    'carries a tag that imitates instructions',
  ],
  [
    /(?:~|\$HOME|\/home\/\w+|\/root)\/\.(?:ssh|aws|gnupg|netrc|config|kube|docker|cursor)\b|\bid_(?:rsa|ed25519)\b|\/etc\/(?:passwd|shadow)\b/i,
    'names a place of credentials',
  ],
  [
    /\b(always|first|must)\b.{0,50}\b(call|use|invoke|run|read)\b.{0,60}\bbefore\b.{0,40}\b(any|every|all|other|using|calling)\b.{0,20}\b(tool|function|request|action)/i,
    'asks to be called before other tools',
  ],
  [
    /\b(send|post|upload|forward|exfiltrate|transmit|bcc|copy)\b.{0,80}\b(conversation|chat history|credential|api key|password|private key|secrets?|environment variables?|entire (?:context|history))\b/i,
    'asks to send away what it should not have',
  ],
  [
    /\b(instead of|rather than)\b.{0,30}\b(the|any)\b.{0,30}\b(other|real|original|official)\b.{0,20}\b(tool|server)/i,
    'shadows another tool',
  ],
  [
    /\b(sidenote|side_note|pass (?:its|the|their) (?:content|contents) (?:as|in|to)|include the (?:full|entire|complete) (?:conversation|context|system prompt))\b/i,
    'smuggles content through a parameter',
  ],
  [/\b(bcc|cc|forward|redirect|copy)\b.{0,60}[\w.+-]+@[\w-]+\.[\w.]+/i, 'names an address to send copies to'],
  [
    /\byou are (?:now|actually)\b.{0,40}\b(assistant|agent|mode|administrator|root)\b|\bdeveloper mode\b|\bjailbreak\b/i,
    'gives the model another role',
  ],
];

export const instructions: Check = {
  id: 'LK-TXT-02',
  title: 'No instructions to the model in tool text',
  owasp: 'MCP03',
  run: ({ surface }) => {
    const texts = textsOf(surface);
    const findings = texts.flatMap(({ at, text }) => {
      const plain = text.normalize('NFKC').replace(/\s+/g, ' ');
      return RULES.flatMap(([pattern, why]) => {
        const found = pattern.exec(plain);
        return found
          ? [
              finding('high', `${at} ${why}`, [
                { kind: 'text', at, excerpt: excerpt(plain, found.index, 240) },
              ]),
            ]
          : [];
      });
    });
    return firedOr(findings.slice(0, 100), `${texts.length} texts, ${RULES.length} rules`);
  },
};
