import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/sequence.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/ended.ts', 'test/setup/compiled.ts', 'test/setup/postgres.ts'],
    // Tests wait for what is said or seen; these bounds alone end what never comes.
    testTimeout: 400_000,
    hookTimeout: 400_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 45_000, interval: 20 } },
    // Twice what two cores have: half of a test's time goes by waiting for processes, refusals and silence.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    allowOnly: false,
  },
});
