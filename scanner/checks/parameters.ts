import { normal } from '../../runtime/content/normal.ts';
import { isObject, type Json, type JsonObject } from '../../schemas/common.ts';
import { pointerOf } from '../../schemas/surface.ts';
import { finding, firedOr, type SurfaceCheck } from './check.ts';
import { asApproved } from './texts.ts';

/** Names of parameters that ask for what a model knows from elsewhere, as words in small letters with spaces. */
const ASKS: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:(?:full|entire|whole|complete|previous|prior|all|current) )*(?:conversation|chat|dialogue?|message|session|interaction)s?(?: (?:history|log|transcript|context|so far|summary))+$/,
    'the conversation',
  ],
  [
    /^(?:(?:full|entire|previous|prior|all) )+(?:conversation|chat|messages|context|dialogue?)$/,
    'the conversation',
  ],
  [
    /^(?:(?:the|your|current|full|original|hidden) )+system (?:prompt|instructions?|message)$/,
    'the system prompt',
  ],
  [
    /^(?:(?:current|your|calling) )+(?:llm|ai|assistant|agent|model)(?: model)?(?: (?:name|id|version|type|identity))?$/,
    'who the model is',
  ],
  [/^(?:llm|ai)(?: model)? (?:name|id|version|identity)$/, 'who the model is'],
  [/^side ?notes?$/, 'a note besides what it is for'],
  [
    /^(?:(?:all|your|user|previous) )+(?:credentials|secrets|api keys|passwords|environment variables)$/,
    'secrets',
  ],
  [
    /^(?:contents? (?:of|from) )(?:reading )?.*(?:ssh|id rsa|etc passwd|env|credentials)/,
    'a file of secrets',
  ],
  [
    /^(?:(?:all|available|other|previous) )+(?:tools?|tool (?:names|list|results|outputs|calls))$/,
    'what other tools do',
  ],
];
/** A tool that is about such things says so in its name, or in the sentence that it begins with. */
const ABOUT =
  /\b(?:conversations?|chats?|dialogues?|messages?|transcripts?|prompts?|memor(?:y|ies)|llms?|language models?|models?|agents?|assistants?|sessions?|credentials?|secrets?|passwords?|keys?)\b/i;

/** Parameters through which a model hands over what has nothing to do with the tool. */
export const parameters: SurfaceCheck = {
  id: 'LK-TXT-05',
  title: 'Parameters ask for what the tool needs',
  owasp: 'MCP10',
  run: ({ surface, baseline }) => {
    const old = asApproved(baseline);
    const findings = Object.entries(surface.tools).flatMap(([name, tool]) =>
      asked(name, tool)
        .filter(({ at, parameter }) => !old({ at, text: parameter }))
        .map(({ parameter, what, at }) =>
          finding('high', `${name} asks for ${what} in ${parameter}, which it does not say it needs`, [
            { kind: 'text', at, excerpt: parameter },
          ]),
        ),
    );
    return firedOr(findings, `${Object.keys(surface.tools).length} tools`);
  },
};

interface Asked {
  readonly parameter: string;
  readonly what: string;
  readonly at: string;
}

/** What a tool is for, as it says itself: its name in words, and the sentence that it begins with. */
export function purposeOf(name: string, tool: JsonObject): string {
  const description = typeof tool.description === 'string' ? tool.description : '';
  return `${words(name)}. ${/^[^.\n]*/.exec(description)?.[0] ?? ''}`;
}

function asked(name: string, tool: JsonObject): Asked[] {
  const purpose = purposeOf(name, tool);
  return parametersOf(tool.inputSchema, pointerOf('tools', name, 'inputSchema')).flatMap(
    ({ parameter, at }) => {
      const [, what] = ASKS.find(([pattern]) => pattern.test(words(parameter))) ?? [];
      return what === undefined || (what !== 'who the model is' && ABOUT.test(purpose))
        ? []
        : [{ parameter, what, at }];
    },
  );
}

function words(name: string): string {
  return normal(name)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_\W]+/g, ' ')
    .trim()
    .toLowerCase();
}

/** Names of all properties, however deep. */
function* named(schema: Json | undefined, at: string): Generator<{ parameter: string; at: string }> {
  if (schema === null || typeof schema !== 'object') return;
  for (const [key, inner] of Object.entries(schema)) {
    const here = at + pointerOf(key);
    if (key === 'properties' && isObject(inner))
      for (const parameter of Object.keys(inner)) yield { parameter, at: here + pointerOf(parameter) };
    yield* named(inner as Json, here);
  }
}

const parametersOf = (schema: Json | undefined, at: string): { parameter: string; at: string }[] => [
  ...named(schema, at),
];
