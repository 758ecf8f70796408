/**
 * 13: what is in a message, judged before it is passed on: its size, the locked output schema, secrets, text that speaks to
 * the model. Pure, and bounded in its work: what is more than may be read is told, and blocked where reading it is a must.
 */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { ContentControls, type ContentRules, contentRules } from '../../schemas/content.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Surface } from '../../schemas/surface.ts';
import { assertValid } from '../../schemas/validate.ts';
import { blocked, type Found, Look } from '../content/look.ts';
import { eachText, rewritten, shownPlace } from '../content/walk.ts';
import { isObject, type Message, parseMessage, type Response, type Unread } from '../wire/message.ts';
import { strangeResult } from '../wire/names.ts';
import type { Pending } from './gate.ts';
import { readHere, unreadable } from './large/here.ts';
import { judgeLarge } from './large/judge.ts';
import { NO_OBJECT } from './refusals.ts';
import { lockedSchemas, problemsIn } from './schema.ts';
import { taskIn, toldInside } from './tasks.ts';

export interface Judged<M extends Message> {
  /** The very message where nothing is hidden in it. */
  readonly message: M;
  readonly found: readonly Found[];
  /** Findings beyond those. */
  readonly more: number;
  readonly hidden: boolean;
  /** Set where it may not pass. */
  readonly error: LockkeeperError | null;
}

/** What of a question its answer is judged by. */
export interface Asked extends Pick<Pending, 'method' | 'target'> {
  readonly rule: Pick<Pending['rule'], 'greets' | 'lists' | 'task'>;
  readonly making?: Pick<NonNullable<Pending['making']>, 'era'>;
}

export interface ContentJudge {
  /** What holds here. */
  readonly rules: ContentRules;
  /** What a server answers to a question of its client. */
  answer(message: Response, asked: Asked): Judged<Response>;
  /**
   * The same of a large one: on another thread, in turns with other callers, or where all of it is compared here, in bounded
   * work. Never rejects.
   */
  large(
    answer: Unread | Response,
    asked: Asked,
    caller?: string,
  ): Promise<Judged<Response>> | Judged<Response>;
  /** A large answer, or why it is not read: here, in bounded work. */
  read(answer: Unread): Response | LockkeeperError;
  /** What a server says besides: its requests and notices; the state of a task with what its `tool` said inside. */
  said<M extends Message>(message: M, tool?: string): Judged<M>;
  /** What a client answers to its server. */
  told(message: Response): Judged<Response>;
}

/** What of a session this needs. */
export interface ContentOptions {
  readonly content?: ContentControls;
  readonly entry: { readonly server: string };
  readonly surface: Pick<Surface, 'tools'>;
  /** Its key makes the marks, so that those of one secret are the same in records and answers. */
  readonly journal: { readonly key: Buffer };
}

interface Made {
  readonly content: ContentControls | undefined;
  readonly server: string;
  readonly key: Buffer;
  readonly judge: ContentJudge;
}

/** By locked surface: it judges each message by itself, so that sessions of one server share it. */
const made = new WeakMap<ContentOptions['surface'], Made>();

/** Throws CONFIG_INVALID where the controls are none. */
export function contentJudge(options: ContentOptions): ContentJudge {
  const { content, entry, surface, journal } = options;
  const known = made.get(surface);
  if (known?.content === content && known?.server === entry.server && known.key === journal.key)
    return known.judge;
  const judge = makeJudge(options);
  made.set(surface, { content, server: entry.server, key: journal.key, judge });
  return judge;
}

function makeJudge({ content = {}, entry, surface, journal: { key } }: ContentOptions): ContentJudge {
  assertValid(ContentControls, content, 'the content controls', 'CONFIG_INVALID');
  const { server } = entry;
  const rules = contentRules(content, server);
  const judgeSaid = <M extends Message>(message: M, by: ContentRules): Judged<M> => {
    const large = tooLarge(message, by);
    return large ? refused(message, large) : judgeTexts(message, { rules: by, key });
  };
  const schemas = lockedSchemas(surface, 'outputSchema');
  const answer: ContentJudge['answer'] = (message, asked) => {
    const unfit = tooLarge(message, rules) ?? misnamed(message);
    if (unfit) return refused(message, unfit);
    // A greeting passes only as it was compared with the lock.
    if (asked.rule.greets) return passed(message);
    const misfit = misfitOf(message, asked, schemas);
    if (misfit && rules.outputSchema === 'refuse')
      return refused(message, misfit, [{ kind: 'schema', at: '' }]);
    const judged = judgeTexts(message, { rules, key, skip: asked.rule.lists });
    // A mark in the place of a secret may be what the schema does not permit; the client would judge so, too.
    if (judged.hidden && !misfit && misfitOf(judged.message, asked, schemas))
      return { ...judged, message, hidden: false, error: NO_PLACE };
    return misfit ? { ...judged, found: [{ kind: 'schema', at: '' }, ...judged.found] } : judged;
  };
  const read = (message: Unread): Response | LockkeeperError => tooLarge(message, rules) ?? readHere(message);
  const here = (message: Unread | Response, asked: Asked): Judged<Response> => {
    const whole = message.kind === 'unread' ? read(message) : message;
    return whole instanceof LockkeeperError ? refused(unreadable(message), whole) : answer(whole, asked);
  };
  return {
    rules,
    answer,
    large: (message, asked, caller = '') => {
      const { method, target, making } = asked;
      const { greets, lists, task } = asked.rule;
      const over = tooLarge(message, rules);
      if (over) return refused(unreadable(message), over);
      if (greets || lists || task === 'list' || method === 'completion/complete') return here(message, asked);
      const tool =
        target !== undefined && Object.hasOwn(surface.tools, target) ? surface.tools[target] : null;
      const tools = tool && target !== undefined ? { [target]: tool } : {};
      const by = { caller, content, entry: { server }, surface: { tools }, key: bytesOf(key) };
      const plain = { method, target, rule: task ? { task } : {} };
      const judging = judgeLarge(message, making ? { ...plain, making: { era: making.era } } : plain, by);
      return judging.then((judged) => judged ?? here(message, asked));
    },
    read,
    said: (message, name) => {
      const judged = judgeSaid(message, rules);
      const inside = name !== undefined && 'params' in message ? toldInside(message.params) : undefined;
      const misfit = name === undefined ? null : misfitIn(inside, name, schemas);
      const error = judged.error ?? (rules.outputSchema === 'refuse' ? misfit : null);
      return misfit ? { ...judged, error, found: [{ kind: 'schema', at: '' }, ...judged.found] } : judged;
    },
    told: (message) => judgeSaid(message, { ...rules, instructions: 'off' }),
  };
}

/** Of its own: what is given to another thread is given with all that surrounds it in memory. */
const bytesOf = (key: Buffer): Uint8Array => Uint8Array.from(key);

function passed<M extends Message>(message: M): Judged<M> {
  return { message, found: [], more: 0, hidden: false, error: null };
}

function refused<M extends Message>(message: M, error: LockkeeperError, found: Found[] = []): Judged<M> {
  return { message, found, more: 0, hidden: false, error };
}

function tooLarge({ bytes }: Message | Unread, { maxResultBytes }: ContentRules): LockkeeperError | null {
  if (bytes.length <= maxResultBytes) return null;
  return new LockkeeperError('RESULT_INVALID', {
    expected: `at most ${maxResultBytes} bytes`,
    found: `${bytes.length}`,
    next: 'Ask for less at a time',
  });
}

/** `Tools` beside the `tools` that are compared with the lock: some clients would read it in their place. */
function misnamed(message: Response): LockkeeperError | null {
  if (message.kind === 'error') return null;
  // It has no member that could be compared, left out or judged by its name.
  if (!isObject(message.result)) return NO_OBJECT;
  const strange = strangeResult(message.result);
  if (strange === null) return null;
  return new LockkeeperError('RESULT_INVALID', {
    expected: 'names in the letters of the protocol',
    found: quote(strange, 60),
    next: 'Stop using the server and tell its reviewers: it says two things at once',
  });
}

type Schemas = ReturnType<typeof lockedSchemas>;

function misfitOf(message: Response, asked: Asked, schemas: Schemas): LockkeeperError | null {
  if (message.kind === 'error' || asked.target === undefined) return null;
  return misfitIn(toldBy(message.result, asked), asked.target, schemas);
}

/** What a tool said in an answer; undefined where it has said nothing yet. */
function toldBy(result: Json, { method, rule, making }: Asked): Json | undefined {
  if (rule.task === 'result') return result;
  if (rule.task !== undefined) return rule.task === 'inlined' ? toldInside(result) : undefined;
  if (method !== 'tools/call' || (isObject(result) && isUnfinished(result))) return undefined;
  return making && taskIn(result, making.era) ? undefined : result;
}

/** A tool with a locked output schema answers with structured content that fits it, or says that it failed. */
function misfitIn(result: Json | undefined, target: string, schemas: Schemas): LockkeeperError | null {
  const schema = result === undefined ? undefined : schemas(target);
  if (!schema || (isObject(result) && result.isError === true)) return null;
  const content = isObject(result) ? result.structuredContent : undefined;
  const problems = content === undefined ? null : schema.problems(content);
  if (problems?.length === 0) return null;
  return new LockkeeperError('RESULT_INVALID', {
    expected: `structured content of ${quote(target, 128)} as its locked output schema says`,
    found:
      problems === null ? 'none' : problemsIn(problems.map((one) => ({ ...one, at: shownPlace(one.at) }))),
    next: 'The server does not keep to its schema; use another release',
  });
}

/** The server asks for more before it answers. Where there is content already, it is an answer, whatever it says it is. */
function isUnfinished({ resultType, content, structuredContent }: JsonObject): boolean {
  return resultType === 'input_required' && content === undefined && structuredContent === undefined;
}

interface Judging {
  readonly rules: ContentRules;
  readonly key: Buffer;
  /** A member of the result that is held to the lock item by item. */
  readonly skip?: string | undefined;
}

const NO_PLACE = blocked('secret', 'a place that takes no mark');

function judgeTexts<M extends Message>(message: M, { rules, key, skip }: Judging): Judged<M> {
  if (rules.secrets === 'off' && rules.instructions === 'off') return passed(message);
  const look = new Look(rules, key);
  eachText(contentOf(message), (text, at, name) => look.read(text, at, name), skip);
  const { found, more } = look;
  if (found.length === 0) return passed(message);
  const error = look.refusal();
  if (error || look.replaced.size === 0) return { message, found, more, hidden: false, error };
  const id = message.kind === 'notification' ? undefined : message.id;
  const bytes = rewritten(message.bytes, look.replaced, id);
  try {
    // As many as were read before.
    const whole = parseMessage(bytes, true, Number.POSITIVE_INFINITY) as M;
    return { message: whole, found, more, hidden: true, error: null };
  } catch {
    // A name with a mark in it is there already, said by a server that was told the mark.
    return { message, found, more, hidden: false, error: NO_PLACE };
  }
}

function contentOf(message: Message): Json {
  if (message.kind === 'response') return message.result;
  return message.kind === 'error' ? message.error : message.params;
}
