import { defineConfig } from 'vite';

/** The names are stable and free of hashes: the built page is committed. */
export default defineConfig({
  base: '/static/',
  resolve: { conditions: ['source', 'browser', 'module', 'import'] },
  build: {
    outDir: process.env.ISSHONI_STATIC_DIR ?? '../../src/isshoni/dashboard/static',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        entryFileNames: 'dashboard.js',
        assetFileNames: 'dashboard[extname]',
        codeSplitting: false,
      },
    },
  },
});
