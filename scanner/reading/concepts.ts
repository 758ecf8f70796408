/**
 * Concepts: words that may stand for each other in a sentence about tools. An attack is told in other words each time, and
 * seldom with other meanings; the second opinion counts what is meant beside the words. None of them means harm by itself.
 */

/** Base forms; a word belongs to the first concept that lists it. */
const CONCEPTS = {
  change: `change alter modify replace swap substitute exchange overwrite override rewrite convert adjust transform remap
    tamper edit adapt amend mutate falsify invert flip recalculate correct translate replacement substitution`,
  divert: 'redirect reroute divert route proxy point intercept hijack detour',
  raise: 'increase raise double multiply triple inflate add-on round boost scale',
  lower: 'decrease lower reduce halve divide shrink downgrade lessen',
  give: 'pass provide supply give hand submit feed furnish surrender paste enter',
  reveal: 'expose disclose reveal print dump echo output leak expos',
  send: `send forward upload transmit email mail post publish export relay dispatch stream broadcast ship exfiltrate deliver
    push notify announce loop`,
  copy: 'copy duplicate mirror sync synchronize synchronise replicate clone backup cc bcc carbon twin',
  share: 'share invite subscribe enrol enroll register sign-up opt join follow star',
  read: 'read open load fetch retrieve access inspect view look lookup cat browse peek consult',
  find: 'search find query list look-up discover enumerate locate count',
  take: 'collect gather harvest capture record track monitor watch observe scan sniff log eavesdrop pick-up grab extract',
  keep: 'store save keep retain remember archive cache persist memorize memorise hold',
  write:
    'write append prepend insert attach include embed inject put place add fill contain carry hold-in populate end start-with',
  make: 'create make generate produce build new draft compose',
  erase: 'delete remove erase wipe purge drop clear truncate empty destroy discard trash clean format unlink',
  stop: 'stop kill terminate shut halt disable deactivate suspend pause block restart reboot crash cancel abort uninstall off',
  allow:
    'grant allow permit authorize authorise elevate escalate promote enable unlock unblock open-up assign waive',
  run: 'run execute launch invoke trigger perform call start install evaluate',
  use: 'use utilize utilise choose select pick employ apply reach rely prefer pick-up',
  buy: 'buy sell purchase trade pay charge refund withdraw deposit invest bid book order reserve transfer wire donate spend',
  skip: 'skip bypass ignore disregard forget neglect omit circumvent evade avoid suppress turn-off leave',
  pretend: 'pretend claim assert lie impersonate act role simulate spoof fake masquerade falsely',
  answer:
    'answer reply respond return say state tell inform mention report explain show display present warn assure recommend suggest advise',
  ask: 'ask confirm prompt request consent approve approval permission confirmation agree acknowledge',
  hide: `silent silently secret secretly covert covertly quiet quietly hidden hide unnoticed invisible invisibly discreet discreetly
    unseen stealth stealthily unobtrusively background tacitly conceal`,
  must: `must mandatory required require requirement obligatory compulsory essential necessary always ensure guarantee prerequisite
    precondition shall should ought need obliged expected imperative supposed`,
  before:
    'before prior beforehand ahead first initially advance preceding precede earlier initial preliminary upfront priorly',
  after: 'after afterwards subsequently following then later finally next once thereafter eventually',
  when: 'when whenever if while during upon as-soon case until',
  every:
    'each every any all everything whatever whichever regardless irrespective entire whole always-on anything whoever universal globally',
  not: "never no not without nobody none nothing don't doesn't cannot can't won't mustn't shouldn't neither nor isn't aren't",
  why: 'because since therefore hence thus due purpose reason otherwise else so consequently',
  also: 'also additionally besides moreover furthermore too plus along addition well while-at',
  instead: 'instead rather alternative alternatively lieu in-place',
  trust: `security secure safety safe compliance compliant audit verification verify validate validation integrity authentication
    authorization trust trusted policy regulation regulatory governance legal license inspection diagnostic diagnostics
    certified endorsed official approved standard protocol handshake`,
  defect: `deprecated obsolete outdated stale broken wrong incorrect inaccurate delayed invalid bug defect unsupported unreliable
    unavailable maintenance compromised vulnerable insecure unsafe hole misspell legacy retired false fail failure error spam
    malicious corrupted misleading untrusted infected leaky slow`,
  best: `best better superior preferred improved enhanced faster fastest reliable ultimate exclusive exclusively top priority
    recommended favourite favorite greatest accurate precise only sole perfect great powerful leading`,
  other: 'other another different competing similar remaining alternative former rival',
  tool: 'tool function api server service plugin endpoint method operation connector helper capability',
  user: 'user person human people customer client someone somebody anyone visitor guest employee',
  model: 'you your yourself assistant agent model llm ai claude gpt chatgpt copilot bot',
  order:
    'instruction rule guideline directive restriction constraint safeguard guardrail command-line mandate',
  secret: `password credential secret token key apikey certificate cookie passphrase pin otp login keychain wallet-seed mnemonic
    env environment ssh keyring`,
  personal: `personal private sensitive confidential medical financial health identity ssn card biometric salary passport phone
    birthday location contact pii profile`,
  talk: 'conversation chat history transcript dialogue dialog prompt context exchange utterance said typed wrote',
  system:
    'system root admin administrator kernel host machine os sudo shell terminal bash firewall daemon cron',
  file: 'file folder directory path document disk filesystem workspace repository drive',
  party: `recipient receiver addressee destination beneficiary payee account address wallet iban mailbox attendee collaborator
    follower reviewer sender`,
  outside: `external remote third partner vendor collector attacker outside offsite foreign public everyone publicly advertiser
    broker cloud telemetry analytics webhook`,
  money:
    'money fund payment amount price balance cash fee cost usd dollar euro bitcoin btc eth stock share-price invoice crypto',
  value:
    'value argument parameter field input content body subject title text string name branch quantity number unit flag option',
  result: 'result output response outcome reading figure data value-of record verdict report-of',
  page: 'page url link website site browser http https tab html',
  message: 'message email-body sms notification comment note post-body',
  silence: 'unaware unknowing unasked undisclosed automatically auto autonomously unattended transparently',
  done: 'successful successfully success fine harmless safe-to normal ok passed clean completed verified done',
  code: 'code script payload binary program command snippet query-string macro package',
  rights: 'access role privilege permission-level right owner admin-role membership visibility 777 world',
  now: 'now onwards henceforth session permanently remainder persistently forever always-after future startup boot nightly daily',
  device: 'door lock light lamp thermostat temperature camera alarm heater volume fan garage speaker',
} as const satisfies Record<string, string>;

export type Concept = keyof typeof CONCEPTS;
export const CONCEPT_NAMES = Object.keys(CONCEPTS) as Concept[];

let known: Map<string, number> | null = null;

/** Place in `CONCEPT_NAMES` of what a word means; -1 for any other word. In small letters. */
export function conceptOf(word: string): number {
  known ??= learned();
  return known.get(word) ?? -1;
}

function learned(): Map<string, number> {
  const map = new Map<string, number>();
  for (const [index, list] of Object.values(CONCEPTS).entries())
    for (const base of list.split(/\s+/))
      for (const form of formsOf(base)) if (!map.has(form)) map.set(form, index);
  return map;
}

/** As English writes it: replaces, replaced, replacing; copies, copied; puts, putting. */
function formsOf(base: string): string[] {
  if (base.length < 3 || /[^a-z]/.test(base)) return [base];
  const stem = base.replace(/e$/, '');
  const twice = stem + stem.slice(-1);
  const forms = [base, `${base}s`, `${stem}es`, `${stem}ed`, `${stem}ing`, `${twice}ed`, `${twice}ing`];
  return base.endsWith('y') ? [...forms, `${base.slice(0, -1)}ies`, `${base.slice(0, -1)}ied`] : forms;
}
