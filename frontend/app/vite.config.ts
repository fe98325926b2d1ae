import { defineConfig } from 'vite';
import { excalidrawDiet } from './excalidraw-diet.js';

/** File names contain a hash of the content: browsers may cache them for ever, beside older ones. */
export default defineConfig({
  base: '/static/',
  // Code and styles refer to each other relative to themselves: a proxy may serve them below a path.
  // The HTML refers to them from the root, and its server makes that relative to the page.
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
      // Some libraries check at run time whether they are in a browser: here they always are.
      onwarn: (warning, warn) => (warning.code === 'MODULE_LEVEL_DIRECTIVE' ? undefined : warn(warning)),
    },
  },
});
