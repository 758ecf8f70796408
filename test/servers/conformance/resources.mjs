// Resources: a text, an image, one that can be watched, and a template.
import { ResourceTemplate } from '@modelcontextprotocol/server';
import { PNG } from './content.mjs';

/** Adds them, and in the era of sessions what subscribes to them. */
export function addResources(server) {
  const one = (name, uri, description, contents) => {
    const { text: _text, blob: _blob, ...about } = contents;
    server.registerResource(name, uri, { description, ...about }, () => ({
      contents: [{ uri, ...contents }],
    }));
  };
  one('static-text', 'test://static-text', 'A text that stays as it is', {
    mimeType: 'text/plain',
    text: 'This is the content of the static text resource.',
  });
  one('static-binary', 'test://static-binary', 'An image', { mimeType: 'image/png', blob: PNG });
  one('watched-resource', 'test://watched-resource', 'A text that can be watched', {
    mimeType: 'text/plain',
    text: 'Watched.',
  });
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'Data by its id', mimeType: 'application/json' },
    (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: 'application/json',
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        },
      ],
    }),
  );
  for (const method of ['resources/subscribe', 'resources/unsubscribe'])
    server.server.setRequestHandler(method, () => ({}));
}
