import { defineConfig } from 'vitest/config';

const slow = ['test/e2e/**/*.test.ts', 'test/faults/**/*.test.ts'];

export default defineConfig({
  test: {
    // Most tests wait for other programs most of the time: as many files at once as a small machine has cores.
    maxWorkers: 2,
    coverage: {
      provider: 'v8',
      include: ['agent/**/*.ts', 'inventory/**/*.ts', 'reconciler/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: slow,
          testTimeout: 20_000,
          hookTimeout: 20_000,
          expect: { poll: { timeout: 10_000 } },
        },
      },
      {
        test: {
          name: 'hosts',
          include: slow,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 10_000 } },
        },
      },
    ],
  },
});
