/** What a tool seems to read and to send, by its own words: proposals for people to confirm, never a decision. */
import { isObject, type JsonObject } from '../schemas/common.ts';
import type { Permissions, ToolLabel } from '../schemas/release.ts';
import type { Surface } from '../schemas/surface.ts';

export interface Proposal {
  readonly tool: string;
  readonly labels: readonly ToolLabel[];
  /** For each label the word that it rests on. */
  readonly because: Readonly<Partial<Record<ToolLabel, string>>>;
}

/** Verbs by which a tool takes something in, and what it then is of. */
const TAKES =
  /\b(?:get|read|list|search|find|query|fetch|open|show|view|export|browse|crawl|scrape|download|look ?up|retrieve|load|extract|navigate)/i;
const OF_STRANGERS =
  /\b(?:urls?|web ?(?:site|page)?s?|internet|pages?|html|feeds?|rss|news|e-?mails?|inbox|messages?|comments?|issues?|pull requests?|tickets?|posts?|tweets?|reviews?|repositor(?:y|ies)|search results?|documentation|online)\b/i;
const OF_ONES_OWN =
  /\b(?:files?|director(?:y|ies)|folders?|filesystem|databases?|sql|tables?|rows?|records?|collections?|e-?mails?|inbox|messages?|calendars?|events?|contacts?|documents?|notes?|memor(?:y|ies)|secrets?|credentials?|tokens?|environment|private|customers?|accounts?|invoices?|payments?|tasks?|channels?|drives?|graph)\b/i;
const SENDS =
  /\b(?:send|post|publish|upload|share|reply|comment|tweet|e-?mail|notify|invite|forward|push|submit|webhook|create (?:an? )?(?:issue|comment|pull request|ticket|message|post|event|page)|request|fetch|navigate|crawl|scrape|download)/i;

/** Of every tool, in name order. Where nothing can be reached, nothing comes from strangers and nothing is sent out. Pure. */
export function proposeLabels(
  surface: Pick<Surface, 'tools'>,
  { egress }: Pick<Permissions, 'egress'>,
): Proposal[] {
  return Object.keys(surface.tools)
    .sort()
    .map((tool) => proposalFor(tool, surface.tools[tool] as JsonObject, egress.length > 0));
}

function proposalFor(tool: string, item: JsonObject, reaches: boolean): Proposal {
  const hints = objectOf(item.annotations);
  const text = wordsOf(tool, item);
  const because: Partial<Record<ToolLabel, string>> = {};
  const takes = TAKES.test(text);
  const strangers = OF_STRANGERS.exec(text)?.[0];
  const own = OF_ONES_OWN.exec(text)?.[0];
  const sends = SENDS.exec(text)?.[0];
  if (reaches && hints.openWorldHint === true) because['reads-untrusted'] = 'openWorldHint';
  else if (reaches && takes && strangers !== undefined) because['reads-untrusted'] = strangers.toLowerCase();
  if (takes && own !== undefined) because['reads-private'] = own.toLowerCase();
  if (reaches && sends !== undefined) because['sends-out'] = sends.toLowerCase();
  else if (reaches && hints.openWorldHint === true && hints.readOnlyHint !== true)
    because['sends-out'] = 'openWorldHint';
  return { tool, labels: Object.keys(because) as ToolLabel[], because };
}

/** Its name in words, its title, its description up to the first paragraph's end, and the names of its parameters. */
function wordsOf(tool: string, { title, description, inputSchema }: JsonObject): string {
  const first = typeof description === 'string' ? (description.split(/\n\s*\n/)[0] ?? '').slice(0, 600) : '';
  const parameters = Object.keys(objectOf(objectOf(inputSchema).properties)).slice(0, 50);
  const names = [tool, ...parameters].map((name) =>
    name.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/[_.-]+/g, ' '),
  );
  return [...names, typeof title === 'string' ? title : '', first].join('; ');
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
