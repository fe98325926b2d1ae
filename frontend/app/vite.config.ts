import { defineConfig } from 'vite';
import { excalidrawDiet } from './excalidraw-diet.js';

/** Names carry a hash of the content: they are kept for good by browsers, and exist beside older ones. */
export default defineConfig({
  base: '/static/',
  // Code and styles name each other from where they are: before that the proxy may have a path of its own.
  // The page itself names them from the root, and its server from where the page is.
  experimental: { renderBuiltUrl: (name, { hostType }) => (hostType === 'html' ? `/static/${name}` : { relative: true }) },
  plugins: [excalidrawDiet()],
  resolve: { conditions: ['source', 'browser', 'module', 'import', 'production'], dedupe: ['yjs', 'react', 'react-dom'] },
  define: { 'process.env.IS_PREACT': '"false"' },
  build: {
    outDir: process.env.ISSHONI_STATIC_DIR ?? '../../src/isshoni/backend/static',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      // Libraries for servers too say that they are for browsers: here everything is.
      onwarn: (warning, warn) => (warning.code === 'MODULE_LEVEL_DIRECTIVE' ? undefined : warn(warning)),
    },
  },
});
