import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', '{app,dashboard}/test/**/*.test.ts'],
    // Bounds, not measurements: a busy machine must not fail a test.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
