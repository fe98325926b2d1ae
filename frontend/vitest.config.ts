import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', '{app,dashboard}/test/**/*.test.ts'],
    // Most of a file is waiting, for a browser or a clock: two at a time, on two cores as well.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Bounds, not measurements: a busy machine must not fail a test.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
