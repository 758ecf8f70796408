/** Building the page. Every text from the registry becomes a text node: there is no HTML from data. */
type Child = Node | string | null;

export function el(
  tag: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElement {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const child of children) if (child !== null) node.append(visible(child));
  return node;
}

/** Characters that could hide or reorder text are shown by their number. */
function visible(child: Node | string): Node | string {
  if (typeof child !== 'string') return child;
  return child.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/gu,
    (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

export function table(head: readonly string[], rows: readonly (readonly Child[])[]): HTMLElement {
  return el(
    'table',
    {},
    el('thead', {}, el('tr', {}, ...head.map((cell) => el('th', { scope: 'col' }, cell)))),
    el('tbody', {}, ...rows.map((row) => el('tr', {}, ...row.map((cell) => el('td', {}, cell))))),
  );
}

export function facts(pairs: readonly (readonly [string, Child])[]): HTMLElement {
  return el('dl', {}, ...pairs.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

export function card(title: string, ...children: readonly Child[]): HTMLElement {
  return el('section', { class: 'card' }, title ? el('h2', {}, title) : null, ...children);
}

export function tag(word: string): HTMLElement {
  return el('span', { class: `tag ${word}` }, word.replace('_', ' '));
}
