/** Arguments against the locked input schemas. A schema that cannot be compiled permits nothing; no address is ever fetched. */
import { Compile } from 'typebox/schema';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Surface } from '../../schemas/surface.ts';

export type ArgumentCheck = (tool: string, args: Json) => LockkeeperError | null;

interface Problem {
  readonly instancePath: string;
  readonly message: string;
  readonly keyword: string;
}

interface Compiled {
  Check(value: unknown): boolean;
  Errors(value: unknown): [boolean, Problem[]];
}

/** Compiles on first use, per tool. */
export function argumentCheck(surface: Pick<Surface, 'tools'>): ArgumentCheck {
  const compiled = new Map<string, Compiled | null>();
  return (tool, args) => {
    let checker = compiled.get(tool);
    if (checker === undefined) {
      checker = compile(surface.tools[tool]);
      compiled.set(tool, checker);
    }
    const problems = problemsOf(checker, args);
    if (problems.length === 0) return null;
    const found = problems.filter(({ keyword }) => keyword !== 'boolean').slice(0, 5);
    return new LockkeeperError('ARGUMENTS_INVALID', {
      expected: `arguments of ${quote(tool, 128)} as its locked schema says`,
      found: found
        .map(({ instancePath, message }) => `${quote(instancePath || '/', 100)} ${message}`)
        .join('; '),
      next: 'Correct the arguments',
    });
  };
}

const UNREADABLE: Problem = { instancePath: '', message: 'the locked schema cannot be read', keyword: '' };

/** None where the arguments fit. A schema that fails while it checks permits as little as one that cannot be read. */
function problemsOf(checker: Compiled | null, args: Json): readonly Problem[] {
  if (checker === null) return [UNREADABLE];
  try {
    if (checker.Check(args)) return [];
    const [, problems] = checker.Errors(args);
    return problems.length > 0 ? problems : [UNREADABLE];
  } catch {
    return [UNREADABLE];
  }
}

function compile(tool: JsonObject | undefined): Compiled | null {
  const schema = tool?.inputSchema;
  if (schema === null || typeof schema !== 'object' || Array.isArray(schema)) return null;
  try {
    return Compile(schema) as unknown as Compiled;
  } catch {
    return null;
  }
}
