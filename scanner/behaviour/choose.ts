/** Which tools a scan calls: those that look as if they only read, and none that could take anything away. Pure. */
import { isObject } from '../../runtime/wire/message.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { CHANGES, DESTROYS, wordsOfName } from '../verbs.ts';

/** Verbs that promise no change. */
const READS =
  /^(?:analy[sz]e|browse|check|compare|convert|count|describe|diff|display|echo|explain|fetch|find|get|grep|head|inspect|introspect|list|lookup|measure|now|peek|ping|print|query|read|resolve|retrieve|return|scan|search|show|stat|status|summari[sz]e|tail|tree|validate|verify|view|whoami)(?:e?s)?$/;
/** What runs whatever it is told. */
const RUNS =
  /^(?:apply|call|click|eval|exec|execute|fill|invoke|launch|press|run|save|shell|start|stop|submit|trigger|upsert)s?$/;
/** After one of these a name says something else that it does. */
const AND = new Set(['and', 'or', 'then']);

/** Null where it is called, otherwise why it is not. */
export function notCalledFor(name: string, { annotations, description }: JsonObject): string | null {
  const hints = isObject(annotations) ? annotations : {};
  const hinted = hints.readOnlyHint === true;
  if (hints.readOnlyHint === false) return 'it says that it does not only read';
  if (hints.destructiveHint === true && !hinted) return 'it says that it may destroy';
  const words = wordsOfName(name);
  const [verb = ''] = words;
  const said = typeof description === 'string' ? description : '';
  const told = /^\W*([A-Za-z]+)/.exec(said)?.[1]?.toLowerCase() ?? '';
  const also = words.filter((_, index) => AND.has(words[index - 1] ?? ''));
  const change =
    words.find((word) => DESTROYS.test(word)) ??
    [verb, told, ...also].find((word) => CHANGES.test(word) || (!hinted && RUNS.test(word)));
  if (change !== undefined) return `the word ${change} says that it may change something`;
  return hinted || READS.test(verb) || READS.test(told) ? null : 'nothing says that it only reads';
}
