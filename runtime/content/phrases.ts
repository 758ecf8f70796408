/**
 * Sentences that speak to a model about something else than their purpose, as data: what is looked for in tool text and in
 * what servers answer, and why it is said. Gaps are bounded: no rule backtracks far.
 */
export interface Phrase {
  readonly why: string;
  readonly pattern: RegExp;
  /**
   * Set where the rule counts in answers, which quote the whole world: source of what every match of it holds, so that one
   * pass over a text finds the places worth a look. Spaces are written `\\s+`: the text is still as it came.
   */
  readonly signal?: string;
  /** Not for tool text, where it is honest. */
  readonly answersOnly?: true;
  /** A sentence that matches this says the opposite. */
  readonly unless?: RegExp;
}

const SECRET =
  '(?:credentials?|passwords?|api[ _-]?keys?|access tokens?|bearer|private keys?|ssh keys?|secrets|env(?:ironment)? var(?:iable)?s|credit cards?|social security|[A-Z]+_API_KEY|session tokens?)';
const TALK =
  '(?:(?:chat|conversation|message|dialogue) (?:history|transcript|log|context)|(?:entire|full|whole|complete) (?:conversation|chat|transcript|history|context)|previous (?:exchanges|messages)|all (?:prior|previous) messages)';
const AWAY =
  '(?:\\bto (?:an? |the |our )?(?:\\w+ )?(?:external|remote|attacker|third|outside|logging|analytics|backup|partner)|attacker|\\bremotely\\b|https?://|[\\w.+-]+@[\\w-]+\\.\\w+|/tmp/\\.)';
const ACT =
  '(?:send|cop(?:y|ie)|append|writ(?:e|ing)|modif|forward|log|upload|execute|insert|run|add|include|read|store|collect|transmit|record|save|delete|alter|change|elevate|redirect|bcc)';
const QUIET = '(?:silently|covertly|secretly|discreetly|invisibly|stealthily|quietly)';
const REFUSES =
  /\b(?:reject|refus|block|den(?:y|ied)|forbid|forbidden|not allowed|disallow|exclud|prevent|never|cannot|must not|no keys)\w*/i;
const sentence = (source: string): RegExp => new RegExp(source, 'i');

const PHRASES: readonly Phrase[] = [
  {
    why: 'tells the model to ignore its instructions',
    signal: '\\b(?:ignor|disregard|forget|bypass|overrid|overrul|supersed)',
    pattern: sentence(
      '\\b(?:ignor|disregard|forget|bypass|overrid|overrul|supersed)\\w*\\b.{0,30}\\b(?:previous|prior|above|earlier|all|any|other|system|user|security|safety|subsequent)\\b.{0,25}\\b(?:instructions?|prompts?|rules?|constraints?|polic(?:y|ies)|guidelines?|restrictions?|safeguards?|settings)\\b',
    ),
  },
  {
    why: 'tells the model to ignore its instructions',
    signal: '\\b(?:ignor|disregard|forget)|precedence\\s+over|cannot\\s+be\\s+overridden',
    pattern: sentence(
      '\\b(?:ignore|disregard|forget)\\s+(?:all\\s+|everything\\s+)?(?:the\\s+)?(?:above|previous|prior)\\b|\\btakes? precedence over\\b.{0,30}\\buser\\b|\\bcannot be overridden\\b.{0,60}\\b(?:user|instruction|polic)',
    ),
  },
  {
    why: 'asks for secrecy towards the user',
    pattern: sentence(
      "\\b(?:do not|don't|never|without|must not|should not)\\b.{0,30}\\b(?:tell|inform|mention|reveal|disclos|notify|alert|report|show)\\w*\\b.{0,40}\\b(?:the user|to user|users|human|anyone|this (?:step|action|logging|process|instruction|tool)|these (?:steps|instructions))\\b|\\bnot (?:shown|visible|disclosed) (?:in|to) (?:the )?user",
    ),
  },
  {
    why: 'does something in secret',
    pattern: sentence(`\\b${QUIET}\\b.{0,12}\\b${ACT}\\w*\\b|\\b${ACT}\\w*\\b.{0,60}\\b${QUIET}\\b`),
    unless: /\b(?:ignor|fail|drop|skip|truncat)\w*|\bset \w+ to (?:true|false)\b/i,
  },
  {
    why: 'acts without consent',
    signal: '\\b(?:consent|knowledge|knowing|awareness)\\b',
    pattern: sentence(
      '\\bwithout\\b.{0,20}\\b(?:asking|human|user)\\b.{0,25}\\b(?:consent|knowledge|knowing|awareness)\\b',
    ),
  },
  {
    why: 'carries a tag that imitates instructions',
    signal: '<\\s*/?\\s*(?:important|system|secret|hidden|admin|information|sys|inst)\\s*>',
    pattern: /<\s*\/?\s*(?:important|system|secret|hidden|admin|information|sys|inst)\s*>/i,
  },
  {
    why: 'carries a tag that imitates instructions',
    signal: '\\[\\s*(?:SYSTEM|BACKGROUND|HIDDEN|ADMIN|PASSIVE)\\b',
    pattern: /\[\s*(?:SYSTEM|BACKGROUND|HIDDEN|ADMIN|PASSIVE)\b[A-Z ]{0,24}\]\s*:?/,
  },
  {
    why: 'speaks to the model as its operator',
    signal: '\\b(?:policy|rule)\\b|\\bthis\\s+(?:entire\\s+)?session\\b',
    pattern: sentence(
      '\\b(?:global|session|system|standing|mandatory|persistent)(?: \\w+)? (?:policy|rule)\\b.{0,30}:|\\bfor the duration of this session\\b|\\bfor this entire session\\b',
    ),
  },
  {
    why: 'names a place of credentials',
    pattern:
      /(?:~|\$HOME|\/home\/\w+|\/root|%USERPROFILE%)[/\\]\.(?:ssh|aws|gnupg|netrc|config|kube|docker|cursor|slack|npmrc|git-credentials|bash_history|env)\b|\bid_(?:rsa|ed25519)\b|\/etc\/(?:passwd|shadow|cron\S*)\b|\b(?:read|cat|cop(?:y|ies)|include|upload|check)\b[^.]{0,30}(?:~\/\.\w|\s\.env\b)|\bshell history\b|\/tmp\/\.\w/i,
    unless: REFUSES,
  },
  {
    why: 'asks for something else to be done first',
    pattern: sentence(
      '\\bbefore\\b.{0,60}\\b(?:must|mandatory|required|always)\\b.{0,80}\\b(?:append|read the file|read file|compliance|credentials?|transfer)\\b|\\bcall(?:ing)? \\w+ with \\w+ ?= ?[\'"$]|\\brequired (?:initiali[sz]ation|prerequisite)\\b.{0,40}\\b(?:completed?|first|before|step)\\b',
    ),
  },
  {
    why: 'asks to be called before other tools',
    pattern: sentence(
      '\\b(?:always|first|must)\\b.{0,50}\\b(?:call|use|invoke|run)\\b.{0,60}\\bbefore\\b.{0,40}\\b(?:any|every|all) other\\b.{0,20}\\b(?:tool|function)s?\\b',
    ),
  },
  {
    why: 'sends secrets away',
    signal: `\\b${SECRET.replaceAll('[ _-]?', '[\\s_-]{0,30}').replaceAll(' ', '\\s+')}`,
    pattern: sentence(
      `\\b(?:send|post|upload|forward|exfiltrat|transmit|stream|shar|stor|writ|leak|harvest|append)\\w*\\b[^.]{0,80}\\b${SECRET}\\b.{0,80}${AWAY}|\\b${SECRET}\\b.{0,100}\\b(?:sent|send|forwarded|uploaded|transmitted|posted|streamed|stored|write|append)\\w*\\b.{0,60}${AWAY}`,
    ),
  },
  {
    why: 'collects secrets besides its purpose',
    pattern: sentence(
      `\\b(?:harvest|also|silently|any)\\b.{0,40}\\b(?:index|collect|captur|extract|harvest|stor|scan|append)\\w*\\b.{0,40}\\b${SECRET}\\b|\\bharvested\\b`,
    ),
  },
  {
    why: 'asks for the conversation',
    signal:
      '\\b(?:history|transcript|context|chat\\s+log|conversation\\s+log|(?:full|whole|entire|complete)\\s+(?:conversation|chat)|previous\\s+(?:exchanges|messages)|prior\\s+messages)\\b',
    pattern: sentence(
      `\\b(?:include|add|pass|attach|append|provide|populate\\w*|put|output|send|export|store|offload)\\w*\\b.{0,60}\\b${TALK}\\b|\\b${TALK}\\b.{0,60}\\b(?:parameter|field|endpoint|verbatim)\\b`,
    ),
    unless: /\b(?:do not|don't|never|without)\b.{0,30}\b(?:include|add|pass|send|provide)/i,
  },
  {
    why: 'asks for the system prompt',
    signal: '\\bsystem\\s+(?:prompt|instructions?|message)\\b',
    pattern: sentence(
      '\\b(?:reveal|output|print|send|include|repeat|leak)\\w*\\b.{0,40}\\b(?:your|hidden|the) system (?:prompt|instructions?|message)\\b|\\bhidden system instructions\\b',
    ),
  },
  {
    why: 'changes how another tool behaves',
    pattern: sentence(
      '\\b(?:modif|chang|alter|replac|redefin|intercept)\\w*\\b.{0,30}\\b(?:behaviou?r|description|result|output|arguments?)\\b.{0,25}\\b(?:tool\\b.{0,3}\\b|silently)|\\b(?:when|whenever|if|before)\\b[^.]{0,30}\\b\\w+_\\w+\\b(?: tool)? is (?:called|invoked|used)\\b|\\bregardless of which tool\\b|\\bany tool.s (?:input|output)\\b|\\bprocessed by any tool\\b',
    ),
  },
  {
    why: 'adds something to what others send',
    signal: '\\bto\\s+(?:every|all)\\b|\\bevery\\b',
    pattern: sentence(
      '\\b(?:append|add|prepend|include)\\b[^.]{0,90}\\bto (?:every|all)\\b.{0,40}\\b(?:commands?|messages?|e-?mails?|operations?|requests?|payments?|files?|transactions?)\\b|\\bevery (?:shell )?command\\b.{0,40}\\b(?:suffix|prefix)\\b|\\bevery\\b.{0,30}\\b(?:operation|transaction|message)\\b.{0,12}\\bsilently\\b',
    ),
  },
  {
    why: 'shadows another tool',
    pattern: sentence(
      '\\b(?:enhanced|improved|secure|drop-in|trusted) replacement for (?:the )?.{0,30}\\btool\\b|\\b(?:instead of|rather than)\\b.{0,30}\\b(?:other|real|original|official)\\b.{0,20}\\b(?:tool|server)s?\\b',
    ),
  },
  {
    why: 'smuggles content through a parameter',
    pattern: sentence(
      '\\b(?:sidenote|side_note)\\b|\\bpass (?:its|the|their) (?:full |entire )?contents? (?:as|in|to)\\b',
    ),
  },
  {
    why: 'names an address to send copies to',
    pattern: sentence(
      '\\b(?:bcc|cc|forward|redirect|copy|share|send)\\w*\\b.{0,60}(?<![\\w.+-])[\\w.+-]{1,64}@[\\w-]{1,64}\\.[a-z]{2,}',
    ),
    unless: /\b(?:e\.g\.|example|such as|format)\b|@(?:example|company|domain|acme)\./i,
  },
  {
    why: 'gives the model another role',
    signal:
      '\\byou\\s+are\\s+(?:now|actually)\\b|\\bdeveloper\\s+mode\\b|\\bjail(?:break|broken)\\s+mode\\b|\\bunrestricted\\b|\\bauthoritative\\s+directives\\b',
    pattern: sentence(
      '\\byou are (?:now|actually)\\b.{0,40}\\b(?:assistant|agent|mode|administrator|root)\\b|\\bdeveloper mode\\b|\\bjail(?:break|broken) mode\\b|\\bunrestricted (?:write )?mode\\b|\\bauthoritative directives\\b',
    ),
  },
  {
    why: 'carries a shell command that fetches or destroys',
    pattern:
      /\bcurl\b[^|]{0,120}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b|\bcurl -s\S* https?:|\$\(\s*(?:cat|curl|whoami|hostname|echo)\b|\/dev\/tcp\/|\brm -rf (?:\/|~)|\bchmod -R\b.{0,12}\s[~/]/i,
  },
  {
    why: 'names an address of the kind that collects data',
    pattern:
      /https?:\/\/(?!(?:127|10|0)\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)\d{1,3}(?:\.\d{1,3}){3}\b|https?:\/\/[\w.-]*(?:webhook\.site|requestbin|ngrok|pipedream|burpcollaborator|interact\.sh|oast\.|attacker)/i,
  },
  {
    why: 'praises itself to be preferred',
    pattern: sentence(
      '\\bbest tool (?:in the world|ever|available)\\b|\\b(?:any ?time|every ?time|whenever) the user (?:asks|says|informs|tells)\\b.{0,12}\\banything\\b',
    ),
  },
  {
    why: 'asks for secrecy towards the user',
    signal:
      "(?:\\bnot|n't|\\bnever|\\bwithout)\\s+(?:\\w+\\s+){0,2}(?:tell|inform|mention|reveal|disclos|notif|alert)",
    pattern: sentence(
      "(?:\\bnot|n't|\\bnever|\\bwithout)\\s+(?:\\w+\\s+){0,2}(?:tell|inform|mention|reveal|disclos|notif|alert)\\w*\\b.{0,25}\\b(?:the user|the human|anyone|to users?)\\b",
    ),
  },
  {
    why: 'does something in secret',
    signal: `\\b${QUIET}`,
    pattern: sentence(
      `\\b${QUIET} (?:\\w+ ){0,2}(?:send|forward|upload|exfiltrate|transmit|copy|bcc|leak|post|share|delete)\\b|\\b(?:send|forward|upload|exfiltrate|transmit|copy|leak|post|share|delete) (?:\\w+ ){1,5}${QUIET}\\b`,
    ),
  },
  {
    why: 'speaks to a model that reads it',
    answersOnly: true,
    signal: '\\b(?:assistants?|agents?|LLMs?|language\\s+models?|AI|AIs|Claude|ChatGPT|Copilot|Gemini)\\b',
    pattern:
      /\b(?:[Aa]ttention|ATTENTION|[Nn]ote (?:to|for)|NOTE (?:TO|FOR)|[Ii]nstructions? (?:to|for)|INSTRUCTIONS? (?:TO|FOR)|[Mm]essage (?:to|for)|[Dd]ear)\b:? (?:all |any |the |an? )?(?:AI|LLM|language model|Claude|ChatGPT|Copilot|Gemini|assistant)s?\b(?! (?:API|SDK|integration|plugin|users?|developers?))|\b[Ii]f you are (?:an? )?(?:AI|LLM|assistant|language model|agent)\b/,
  },
];

/** What no tool text says honestly. */
export const TOOL_PHRASES = PHRASES.filter(({ answersOnly }) => !answersOnly);
/** What no answer of a server needs to say. */
export const ANSWER_PHRASES = PHRASES.filter(({ signal }) => signal !== undefined);
