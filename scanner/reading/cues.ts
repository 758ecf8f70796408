/**
 * Cues: what a sentence does, whatever words it does it in. Rules are conjunctions of cues, and the second opinion counts
 * them beside the words. Each is one table of words; none of them means harm by itself.
 */
import { isForeignName, isSiblingName, type Speaker } from './speaker.ts';

const word = (source: string): RegExp => new RegExp(`\\b(?:${source})\\b`, 'i');

const CUES = {
  must: word(
    'must|mandatory|mandated?|requir(?:ed?|es|ing|ement)|obligat\\w+|compulsory|imperative|essential|need(?:s|ed)? to|ha(?:s|ve|d) to|shall|always|ensur(?:e|es|ing)|make sure|be sure|guarantee\\w*|necessary|prerequisite|precondition|needs? \\w+ing|never fail',
  ),
  trigger: word(
    'before|prior to|ahead of|after|afterwards|when|whenever|once|if|each time|every time|any ?time|as soon as|upon|during|while|until|in advance|beforehand|first|in order to|following|preced\\w+',
  ),
  every: word(
    'any|every|all|each|regardless|no matter|irrespective|whichever|whatever|entire|everything|universally|globally|unconditionally|without exception|by default',
  ),
  event: word(
    '(?:is|are|gets?|being|been|be|was|were|has been)(?: \\w+)? (?:called|invoked|used|executed|triggered|requested|performed|processed|run|ran|accessed|sent|created|written|activated|received|initiated|issued|made|attempted|submitted|detected|present|available)|(?:call|invok|us|execut|process|send|perform|access|mak|handl|runn?|creat|writ|read|open|delet|updat|search|quer|return|respond|reply|answer|initiat|book|pay|transferr?|schedul|postin?|commit|deploy)ing',
  ),
  change: word(
    '(?:chang|replac|modif|alter|overrid|overwrit|redirect|rerout|substitut|swap|convert|adjust|rewrit|tamper|transform|divert|switch|remap|reassign|shift|invert|flip|round|double|increas|decreas|reduc|multipl|translat|mutat|correct)(?:e|es|ed|ing|y|ies|ied|s|ped|ping|ted|ting|len|ten)?|set to|rather than|instead(?: of)?',
  ),
  argument: word(
    'param(?:eter)?s?|arguments?|args?|recipients?|destinations?|address(?:es)?|amounts?|values?|paths?|urls?|uris?|quer(?:y|ies)|contents?|body|subjects?|receivers?|accounts?|fields?|inputs?|payloads?|keywords?|titles?|headers?|prices?|quantit(?:y|ies)|coordinates|locations?|filenames?|ids?|numbers?|results?|outputs?|responses?|commands?|branch(?:es)?|symbols?|tickers?',
  ),
  addto: word(
    '(?:append|prepend|includ|insert|add|attach|embed|inject|inclus|suffix|prefix|pass|suppl|provid|put|plac|fill|populat)(?:e|es|ed|ing|s|y|ied)?|cc|bcc',
  ),
  tool: word('tools?|functions?|endpoints?|plugins?|methods?|apis?|servers?|services?|operations?'),
  otherTool: word(
    '(?:any|every|all|other|another|subsequent|following|next|remaining|previous|different|external|third.party)(?: \\w+){0,2} (?:tools?|functions?|servers?|operations?|calls?|commands?|requests?|actions?|queries)',
  ),
  secretPlace:
    /(?:~|\$HOME|\/home\/[\w<{]+|\/Users\/\w+|\/root|%USERPROFILE%|C:\\Users\\\w+)[/\\]+\.?\w|(?<!\w)\.(?:ssh|aws|env|gnupg|netrc|kube|npmrc|git-credentials|bash_history|pgpass|htpasswd)\b|\bid_(?:rsa|ed25519|dsa|ecdsa)\b|\/etc\/[a-z]|\/var\/(?:log|lib|run)\b|\/proc\/|\/dev\/\w|\bauthorized_keys\b|\bknown_hosts\b|\b(?:mcp|claude\w*|credentials?|secrets?|config|tokens?)\.json\b|\bsudoers\b|\bcrontab\b|\bkeychain\b|\b(?:shadow|passwd) file\b|\b\w+\.(?:pem|key|p12|pfx|kdbx)\b/i,
  path: /(?<![\w:/.])\/(?:[\w.-]+\/)+[\w.*-]*|\b[A-Z]:\\[\w\\.]+|(?<!\w)\.{1,2}\/[\w./-]+|\b[\w-]+\.(?:txt|log|sh|py|md|ya?ml|conf|cfg|ini|bak|db|sql|exe|bat|ps1)\b/,
  secret: word(
    'credentials?|passwords?|passphrases?|api[ _-]?keys?|(?:access|auth\\w*|bearer|session|refresh|secret|security) tokens?|tokens|private keys?|ssh keys?|public keys?|secrets?|env(?:ironment)? var(?:iable)?s?|credit cards?|social security|ssn|cookies?|(?:personal|private|sensitive|confidential|medical|financial|health|user|customer|patient|contact)(?: \\w+)? (?:data|information|details|records?|files?)|pii|phi|[A-Z]+_(?:API_KEY|TOKEN|SECRET)|biometrics?',
  ),
  destroy: word(
    '(?:delet|remov|drop|wip|eras|truncat|kill|terminat|disabl|uninstall|reboot|revok|purg|destroy|unlink|suspend|deactivat|corrupt|encrypt|shut(?:ting)?[ -]?down|empty|flush|reset|clear|cancel|stop|block)(?:e|es|ed|ing|s|ped|ping|led|ling|pping)?|rm|chmod|chown|rmdir',
  ),
  send: word(
    '(?:send|forward|upload|transmit|shar|e-?mail|publish|transfer|exfiltrat|leak|deliver|export|sync|submit|stream|broadcast|relay|mirror|post|copy|report|duplicat|backup|back up|notif|dispatch|rout|synchroni[sz]|archiv)(?:e|es|ed|ing|s|ted|ting|ring|red|y|ies|ied)?|sent|copies',
  ),
  away: /https?:\/\/|\b[\w.+-]+@[\w-]+\.\w+|(?<!\w)\+\d{7,}|\b(?:external|remote|third.part(?:y|ies)|attacker\w*|outside|offsite|partners?|collector|c2|webhook|marketing|advertis\w*|public(?:ly)?|unauthori[sz]ed|malicious)\b/i,
  take: word(
    '(?:read|access|open|fetch|retriev|load|cat|extract|collect|gather|captur|obtain|dump|scan|harvest|monitor|record|log|inspect|stor|save|acquir|grab|steal|intercept|track|index|cach|observ|eavesdrop|sav|keylog)(?:e|es|ed|ing|s|ged|ging|ned|ning|ped|ping)?',
  ),
  quiet: word(
    "silent(?:ly)?|covert(?:ly)?|secret(?:ly)?|discreet(?:ly)?|invisibl[ey]|stealth(?:ily|y)?|quietly|hidden|unnoticed|transparently to the user|without (?:\\w+ )?(?:asking|telling|informing|notifying|mention\\w*|alert\\w*|consent|confirmation|prompting|approval|permission|knowledge|notice|(?:user|their|human|explicit|any|further)(?:'s)? (?:\\w+ )?(?:consent|confirmation|approval|permission|knowledge|notice|interaction|awareness|review))|(?:do not|don't|never|not|no need to|need not|avoid) (?:\\w+ ){0,2}(?:tell|inform\\w*|mention\\w*|reveal\\w*|disclos\\w*|notif\\w*|alert\\w*|report\\w*|ask\\w*|warn\\w*|show\\w*|expos\\w*|explain\\w*|discuss\\w*|confirm\\w*|prompt\\w*|log)",
  ),
  excuse: word(
    '(?:security|compliance|audit(?:ing)?|verification|validation|authori[sz]ation|authentication|integrity|diagnostics?|telemetry|quality|safety|regulat\\w+|maintenance|consistency|accuracy|proxy|permission|legal|policy|policies|standards?|protocol|debug(?:ging)?|logging|monitoring|compatibility|optimi[sz]ation|performance|privacy|stability|reliability|environment) (?:purposes?|reasons?|checks?|requirements?|polic(?:y|ies)|protocols?|standards?|regulations?|mandates?|validation|verification|step|process|audit|measures?|rules?|guidelines?|tests?)|(?:for|to ensure|to maintain|to guarantee|due to|to comply with|in accordance with|as part of)(?: \\w+){0,3} (?:security|compliance|audit(?:ing)?|integrity|verification|validation|safety|legal|consistency|accuracy|policy|regulat\\w+|standards?|authenti\\w+|authori\\w+|privacy|proper|correct|seamless|optimal)|otherwise|or else|failure to|will (?:not|fail)|fails?|to prevent|to avoid|validity|proxying|properly|correctly',
  ),
  model: word('you|your|yourself|the (?:model|assistant|agent|llm|ai)|ai|llm|assistant|claude|chatgpt|gpt'),
  ignore: word(
    '(?:ignor|disregard|forget|bypass|overrid|overrul|supersed|neglect|circumvent|skip|evad)\\w*|precedence|takes? priority|cannot be (?:overridden|disabled|changed)|despite|even if',
  ),
  order: word(
    'system prompts?|(?:previous|prior|above|earlier|all|other|system|user|security|safety|subsequent|hidden|existing|standing|global|original)(?: \\w+)? (?:instructions?|prompts?|rules?|constraints?|polic(?:y|ies)|guidelines?|restrictions?|safeguards?|directives?|commands?|requests?|tasks?|checks?)|guardrails?|jailbreak|developer mode|new (?:instructions?|rules?|policy)|note to|attention',
  ),
  talk: word(
    '(?:chat|conversation|message|dialogue?|session|interaction|prompt)s? (?:history|histories|transcripts?|logs?|context|content)|(?:entire|full|whole|complete|current|ongoing) (?:conversation|chat|transcript|history|context|dialogue?|prompt|session)|(?:previous|prior|last|recent|past|all) (?:exchanges|messages|conversations?|turns|prompts|interactions)|user.?s? (?:prompts?|messages?|questions?|quer(?:y|ies)|requests?)|conversation|chat history',
  ),
  prefer: word(
    'best|prefer(?:red|s|ably|ence)?|superior|priorit\\w+|only tool|first choice|trusted|official|exclusively|replacement|deprecated|obsolete|no longer|do not use|outdated|most (?:accurate|reliable|powerful|trustworthy|efficient|secure)|better than|more (?:accurate|reliable|secure|efficient|trustworthy)|unsafe|insecure|broken|unreliable|legacy|in place of|favou?r|recommended|ultimate|world|default to',
  ),
  praise: word(
    '(?:best|greatest|finest|most (?:useful|powerful|trusted|popular|advanced)|superior|great|amazing|awesome|excellent|fantastic|wonderful|superb|perfect|unrivalled|unmatched|number one|world-?class|top.rated) (?:\\w+ )?(?:tool|function|method|choice|helper|option|server|plugin)s?|(?:highly|strongly) recommend\\w*|better than (?:any|every|all)|(?:any|every) ?time the user|whenever possible|above all others|over (?:any|all) other',
  ),
  self: word('this (?:tool|function|server|service|operation|method|plugin|command)'),
  shell:
    /\b(?:curl|wget|bash|chmod|chown|nc|netcat|rm -rf|powershell|eval|exec|sudo|crontab|ssh|scp|base64|nohup|killall|pkill|mkfifo|os\.system|subprocess|child_process)\b|\/bin\/(?:ba)?sh|\/dev\/tcp|\$\(|&&|[;|]\s*(?:rm|sh|cat|nc|tee|cd|echo|xargs|env|drop|delete|python\d?)\b|`[^`]*\$|import os|fork bomb|:\(\)/i,
  role: word(
    'administrator|admin|root|sudo|elevat\\w*|privileg\\w*|superuser|unrestricted|full (?:access|control|permissions?)|777|0?666|developer mode|maintenance mode|system administrator|operator|debug mode|god mode|write mode',
  ),
  money:
    /\b(?:pay(?:ment|ments|ing)?|transfer\w*|withdraw\w*|purchas\w+|wallets?|funds?|balances?|trad(?:e|es|ing)|buy|sell|deposit\w*|refund\w*|invoice|bitcoin|btc|eth|usd[ct]?|crypto\w*|bank|fees?|donat\w+|shares?|stocks?)\b|[$€£]\s?\d/i,
  run: word(
    '(?:execut|run|runn|install|download|evaluat|launch|start|invok|call|trigger|perform|creat|writ|issu|schedul|register|us|mak|connect|initiali[sz])(?:e|es|ed|ing|s)?|script|commands?|payload|code',
  ),
  lasting: word(
    'session|from now on|henceforth|going forward|persist\\w*|permanent(?:ly)?|future|remember|throughout|duration|remainder|standing|subsequent(?:ly)?|continu\\w+|ongoing|later|next (?:run|call|time)|passively|automatically',
  ),
  value:
    /(?<!\w)(?:'[^'\n]{2,}'|"[^"\n]{2,}"|`[^`\n]{2,}`)|\w+ ?= ?['"$\d[{]|\bto \d+|\b\d{6,}\b|\b[A-Z]{2,}_[A-Z0-9_]{3,}\b/,
  tag: /<\s*\/?\s*(?:[Ii]mportant|IMPORTANT|[Ss]ystem|SYSTEM|[Ss]ecret|[Hh]idden|[Aa]dmin|[Ii]nformation|INFORMATION|sys|inst(?:ruction)?s?|[Cc]ritical|CRITICAL|assistant|prompt|[Rr]ule|policy)\s*>|\[\s*\/?[A-Z]{4,}(?: [A-Z]+){0,3}\s*\]|#{2,}\s*[A-Z][A-Z ]{3,}|\b(?!IMPORTANT|NOTE|WARNING|REQUIRED|OPTIONAL|CRITICAL|EXAMPLE)[A-Z]{5,}(?: [A-Z]{2,}){0,4}(?: \([^)]{1,40}\))?:|<\|\w/,
  negated: word(
    "reject\\w*|refus\\w*|den(?:y|ied|ies)|forbid\\w*|not allowed|disallow\\w*|exclud\\w*|cannot|can't|must not|no keys|never (?:read|access|touch|send|stor|upload|shar|log|transmit|collect|includ|expos)\\w*|(?:do|does) not|doesn't|don't|redact\\w*|detect\\w*|protect\\w*|prevent\\w*|mitigat\\w*|sanitiz\\w*|no \\w+ (?:is|are) \\w+ed",
  ),
} as const satisfies Record<string, RegExp>;

/** Where a text stands says as much as what it says: values and names are no place for sentences. */
const PLACES = ['inField', 'inValue', 'inName'] as const;
export type Place = (typeof PLACES)[number];

export type Cue = keyof typeof CUES | 'foreign' | 'sibling' | Place;
const PATTERNS = Object.values(CUES);
export const CUE_NAMES: readonly Cue[] = [...(Object.keys(CUES) as Cue[]), 'foreign', 'sibling', ...PLACES];
const FOREIGN = PATTERNS.length;

/**
 * Places in `CUE_NAMES` of what one sentence does, ascending. `foreign`: it names something as tools are named, which is
 * neither the tool nor a parameter of it nor a tool of its server. `sibling`: it names another tool of its server.
 */
export function cuesOf(sentence: string, speaker: Speaker, place: Place | null = null): number[] {
  const found: number[] = [];
  for (let i = 0; i < PATTERNS.length; i++) if (PATTERNS[i]?.test(sentence)) found.push(i);
  if (isForeignName(sentence, speaker)) found.push(FOREIGN);
  if (isSiblingName(sentence, speaker)) found.push(FOREIGN + 1);
  if (place !== null) found.push(FOREIGN + 2 + PLACES.indexOf(place));
  return found;
}
