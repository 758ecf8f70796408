import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/sequence.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/compiled.ts', 'test/setup/postgres.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    allowOnly: false,
  },
});
