import type { Json } from '../../schemas/common.ts';
import { pointerOf } from '../../schemas/surface.ts';
import { finding, firedOr, type SurfaceCheck } from './check.ts';

/** Input schemas that accept anything: often a dependency that broke the generator, and then validation is lost. */
export const emptySchema: SurfaceCheck = {
  id: 'LK-SRF-02',
  title: 'Input schemas say what they take',
  owasp: 'MCP03',
  run: ({ surface }) => {
    const tools = Object.entries(surface.tools).filter(([, tool]) => saysNothing(tool.inputSchema));
    const findings = tools.map(([name, tool]) =>
      finding('high', `${name} takes anything: its input schema has neither type nor properties`, [
        {
          kind: 'text',
          at: pointerOf('tools', name, 'inputSchema'),
          excerpt: JSON.stringify(tool.inputSchema ?? null).slice(0, 200),
        },
      ]),
    );
    return firedOr(findings, `${Object.keys(surface.tools).length} tools, each with a schema`);
  },
};

function saysNothing(schema: Json | undefined): boolean {
  return (
    schema === null ||
    typeof schema !== 'object' ||
    !['type', 'properties', 'anyOf', 'oneOf', 'allOf', '$ref', 'const', 'enum'].some((key) => key in schema)
  );
}
