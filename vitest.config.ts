import { defineConfig } from 'vitest/config';

/** Simulations of a size that theory can be seen in. */
const PUBLISHED = 'test/sim/published.test.ts';

/** What other files have left to the compiler and the collector must not be seen in what is measured. */
const MEMORY = [
  'test/core/{packet-memory,reassembly,sync-offers}.test.ts',
  'test/forwarders/{encapsulate,translate}.test.ts',
  'test/schedulers/contract.test.ts',
];

// Each Node that a test starts would load them.
delete process.env['NODE_EXTRA_CA_CERTS'];

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          testTimeout: 30_000,
          // Files of one worker share the modules, which are loaded once.
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/oracle/**', PUBLISHED, ...MEMORY],
        },
      },
      {
        test: {
          name: 'unit-memory',
          testTimeout: 30_000,
          include: MEMORY,
          execArgv: ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'],
        },
      },
      {
        test: {
          name: 'published',
          testTimeout: 60_000,
          include: [PUBLISHED],
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'oracle',
          include: ['test/oracle/**/*.test.ts'],
          fileParallelism: false,
        },
      },
    ],
  },
});
