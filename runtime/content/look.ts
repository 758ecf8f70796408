/** One message as it is read: what was found where, what stands in its place, and whether it may pass. */
import type { ContentRules } from '../../schemas/content.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { secretMark } from '../journal/redact.ts';
import { carriesHidden } from './hidden.ts';
import { answerPhrasesIn, type Reading } from './instructions.ts';
import { isSecretMember, type Span, secretsIn } from './secrets.ts';

/** Characters of one message that are read, those close to what signals a phrase, and what each text costs besides. */
const READ = 4 * 1024 * 1024;
const READ_CLOSELY = 400_000;
const EACH = 40;
/** Places that a record names; more are counted. */
const MAX_FOUND = 50;

export type FoundKind = 'secret' | 'instructions' | 'hidden' | 'schema' | 'unread';

export interface Found {
  readonly kind: FoundKind;
  /** JSON pointer into what was said; never its text. */
  readonly at: string;
  /** In the words of our own table. */
  readonly why?: string;
}

export class Look {
  readonly found: Found[] = [];
  readonly replaced = new Map<string, string>();
  more = 0;
  readonly #rules: ContentRules;
  readonly #key: Buffer;
  readonly #reading: Reading = { close: READ_CLOSELY };
  readonly #kinds = new Set<FoundKind>();
  #left = READ;

  constructor(rules: ContentRules, key: Buffer) {
    this.#rules = rules;
    this.#key = key;
  }

  /** Reads one text, as far as there is something left to read. */
  read(whole: string, at: () => string, name: string | undefined): void {
    if (this.#left <= 0) return;
    const text = whole.length <= this.#left ? whole : whole.slice(0, this.#left);
    this.#left -= whole.length + EACH;
    if (this.#left <= 0) this.#unread(at);
    if (this.#rules.secrets !== 'off') this.#secrets(text, at, name);
    if (this.#rules.instructions === 'off') return;
    if (carriesHidden(text)) this.#tell({ kind: 'hidden', at: at() });
    const why = answerPhrasesIn(text, this.#reading);
    if (why === null) this.#unread(at);
    else for (const one of why) this.#tell({ kind: 'instructions', at: at(), why: one });
  }

  /** What was found says that the message may not pass. */
  refusal(): LockkeeperError | null {
    const { secrets, instructions } = this.#rules;
    const kinds = this.#kinds;
    if (kinds.has('secret') && secrets === 'block') return blocked('secret', 'one or more');
    if (instructions === 'block')
      for (const kind of ['instructions', 'hidden'] as const)
        if (kinds.has(kind)) return blocked(kind, 'some');
    const must = instructions === 'block' || secrets === 'block' || secrets === 'hide';
    return kinds.has('unread') && must ? blocked('unread', 'more text than is read') : null;
  }

  #secrets(text: string, at: () => string, name: string | undefined): void {
    const whole: Span[] = name !== undefined && isSecretMember(name, text) ? [[0, text.length]] : [];
    const spans = whole.length > 0 ? whole : secretsIn(text);
    if (spans.length === 0) return;
    this.#tell({ kind: 'secret', at: at() });
    if (this.#rules.secrets === 'hide') this.replaced.set(text, this.#hidden(text, spans));
  }

  #hidden(text: string, spans: readonly Span[]): string {
    let shown = '';
    let from = 0;
    for (const [start, end] of spans) {
      shown += text.slice(from, start) + secretMark(text.slice(start, end), this.#key);
      from = end;
    }
    return shown + text.slice(from);
  }

  #unread(at: () => string): void {
    if (!this.#kinds.has('unread')) this.#tell({ kind: 'unread', at: at() });
  }

  #tell(found: Found): void {
    this.#kinds.add(found.kind);
    if (this.found.length < MAX_FOUND) this.found.push(found);
    else this.more++;
  }
}

const WORDS = {
  secret: 'no secret in what is said',
  instructions: 'no text that speaks to the model',
  hidden: 'no text that nobody sees',
  unread: 'little enough text to be read whole',
} as const;

/** Names the kind and never the text. */
export function blocked(kind: keyof typeof WORDS, found: string): LockkeeperError {
  return new LockkeeperError('CONTENT_BLOCKED', {
    expected: WORDS[kind],
    found,
    next: 'Ask for something else; the record of this call names the places',
  });
}
