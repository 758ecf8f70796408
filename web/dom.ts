/** Building the page. Every text from the registry becomes a text node: there is no HTML from data. */
export type Child = Node | string | null;

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
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u115f\u1160\u2028\u2029\u3164\uffa0]|[\ufe00-\ufe0e]|[\u{e0100}-\u{e01ef}]|\p{Cf}/gu,
    (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** A name of a server: broken behind a dot, a slash or an @ before it is broken anywhere. */
export function nameOf(text: string): HTMLElement {
  const parts = text.split(/(?<=[./@])/);
  return el('span', {}, ...parts.flatMap((part, at) => (at === 0 ? [part] : [el('wbr'), part])));
}

/** Letters of a word that no column is too narrow for. */
const WHOLE = 12;

/** Each cell carries its heading, which a narrow screen shows instead of the head row. */
export function table(head: readonly string[], rows: readonly (readonly Child[])[]): HTMLElement {
  const row = (cells: readonly Child[]): HTMLElement =>
    el('tr', {}, ...cells.map((cell, column) => cellOf(cell, head[column] ?? '')));
  return el(
    'table',
    {},
    el('thead', {}, el('tr', {}, ...head.map((cell) => el('th', { scope: 'col' }, cell)))),
    el('tbody', {}, ...rows.map(row)),
  );
}

function cellOf(cell: Child, label: string): HTMLElement {
  const whole = typeof cell === 'string' && cell.split(/\s/).every((word) => word.length <= WHOLE);
  return el('td', { 'data-label': label, ...(whole ? { class: 'whole' } : {}) }, cell);
}

export function facts(pairs: readonly (readonly [string, Child])[]): HTMLElement {
  return el('dl', {}, ...pairs.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

export function card(title: string, ...children: readonly Child[]): HTMLElement {
  return el('section', { class: 'card' }, title ? el('h2', {}, title) : null, ...children);
}

export function tag(word: string, text = word.replaceAll('_', ' ')): HTMLElement {
  return el('span', { class: `tag ${word}` }, text);
}

export function soft(text: string): HTMLElement {
  return el('p', { class: 'soft' }, text);
}

/** A part that opens on a click; closed unless told. */
export function fold(summary: readonly Child[], children: readonly Child[], open = false): HTMLElement {
  return el('details', open ? { open: '' } : {}, el('summary', {}, ...summary), ...children);
}

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly value?: string;
  readonly required?: boolean;
  readonly rows?: number;
  readonly type?: 'date';
  /** What may be meant; anything else can be typed as well. */
  readonly words?: readonly string[];
  /** What the field belongs to, where a page has several of its name. */
  readonly of?: string;
}

/** A labelled input; several lines where `rows` says so. */
export function field({
  name,
  label,
  hint,
  value = '',
  required = false,
  rows,
  type,
  words,
  of,
}: Field): HTMLElement {
  const attributes = {
    name,
    id: of === undefined ? `field-${name}` : `field-${name}-${of}`,
    autocomplete: 'off',
    ...(required ? { required: '' } : {}),
    ...(words ? { list: `words-${name}` } : {}),
  };
  const input =
    rows === undefined
      ? el('input', { ...attributes, ...(type ? { type } : {}), value })
      : el('textarea', { ...attributes, rows: String(rows) }, value);
  return el(
    'div',
    { class: 'field' },
    el('label', { for: attributes.id }, label),
    input,
    words ? el('datalist', { id: `words-${name}` }, ...words.map((value) => el('option', { value }))) : null,
    hint ? el('small', {}, hint) : null,
  );
}

/** A labelled box to tick. */
export function tick(name: string, label: string, hint?: string): HTMLElement {
  const id = `field-${name}`;
  return el(
    'div',
    { class: 'field tick' },
    el('label', { for: id }, el('input', { type: 'checkbox', name, id }), ` ${label}`),
    hint ? el('small', {}, hint) : null,
  );
}

/** A form whose button waits for `submit`; a refusal is shown below it, and nothing that was typed is lost. */
export function form(
  fields: readonly Child[],
  button: { readonly text: string; readonly deny?: boolean },
  submit: (values: FormData) => Promise<void>,
): HTMLElement {
  const send = el('button', { type: 'submit', ...(button.deny ? { class: 'deny' } : {}) }, button.text);
  const problem = el('p', { role: 'alert' });
  const node = el('form', {}, ...fields, send, problem) as HTMLFormElement;
  node.addEventListener('submit', (event) => {
    event.preventDefault();
    problem.textContent = '';
    send.setAttribute('disabled', '');
    submit(new FormData(node))
      .catch((error: Error) => {
        problem.replaceChildren(visible(error.message));
      })
      .finally(() => send.removeAttribute('disabled'));
  });
  return node;
}

export function textOf(values: FormData, name: string): string {
  const value = values.get(name);
  return typeof value === 'string' ? value.trim() : '';
}

/** Words of a field, separated by commas, spaces or lines. */
export function wordsOf(values: FormData, name: string): string[] {
  return textOf(values, name)
    .split(/[\s,]+/)
    .filter((word) => word !== '');
}

export const day = (instant: string): string => instant.slice(0, 16).replace('T', ' ');
export const short = (digest: string): string => digest.replace('sha256:', '').slice(0, 12);
export const shown = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value, null, 2);
