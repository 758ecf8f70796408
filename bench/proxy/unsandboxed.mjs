// Preloaded before a command to measure it without the sandbox: it takes the driver that isolates nothing. There is no such
// way in the product; the difference to the same command without this is what isolation costs a call.
import { registerHooks } from 'node:module';

const plain = new URL('plain-driver.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    return found.url.endsWith('/runtime/isolation/select.ts') ? { ...found, url: plain } : found;
  },
});
