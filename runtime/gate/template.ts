/** URI templates (RFC 6570) as MCP uses them, turned round: could this URI have come from that template? */
const cache = new Map<string, RegExp>();

/** Simple, reserved, fragment, path and query expressions; a variable of the simple kind stands for one path part. */
export function matchesTemplate(template: string, uri: string): boolean {
  if (uri.length > 4096 || template.length > 1024) return false;
  let pattern = cache.get(template);
  if (!pattern) {
    pattern = compile(template);
    cache.set(template, pattern);
  }
  return pattern.test(uri);
}

function compile(template: string): RegExp {
  const parts = template.split(/(\{[^{}]*\})/).map((part) => {
    const [, operator = '', names] = /^\{([+#./;?&]?)([^{}]+)\}$/.exec(part) ?? [];
    if (names === undefined) return part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
    const count = names.split(',').length;
    if (operator === '+' || operator === '#') return '[^\\s]*';
    if (operator === '?' || operator === '&') return `(?:[?&][A-Za-z0-9_.%-]+=[^&#\\s]*){0,${count}}`;
    if (operator === '/') return '(?:/[^/?#\\s]+)*';
    return '[^/?#\\s]+';
  });
  return new RegExp(`^${parts.join('')}$`);
}
