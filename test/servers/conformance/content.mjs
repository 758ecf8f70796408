// The smallest things of each kind of content.
export const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
// A RIFF header and no sample.
export const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

export const text = (words) => ({ content: [{ type: 'text', text: words }] });
export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
