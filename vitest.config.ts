import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/sequence.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/compiled.ts', 'test/setup/postgres.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // One more than two cores have: about half of a test's time goes by waiting for processes, refusals and silence.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    allowOnly: false,
  },
});
