import { defineConfig } from 'vite';
import { excalidrawDiet } from './excalidraw-diet.js';

/** What the page's own code and the editor both import, and so has to be in no file of ours. */
const LIBRARIES = /node_modules\/(react|react-dom|scheduler|yjs|lib0|y-protocols|fractional-indexing)\/|vite\/preload-helper/;

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
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      // Libraries in files of their own, which import no file of ours: their names, and so what browsers
      // have cached of them, outlive a release. Without that any changed word renames every file.
      output: { codeSplitting: { groups: [{ name: 'libraries', test: LIBRARIES }] } },
      // Some libraries check at run time whether they are in a browser: here they always are.
      onwarn: (warning, warn) => (warning.code === 'MODULE_LEVEL_DIRECTIVE' ? undefined : warn(warning)),
    },
  },
});
