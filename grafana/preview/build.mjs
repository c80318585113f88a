// Puts the page and all that it draws with into one file, page.js.
import { build } from 'esbuild';

const here = (name) => new URL(name, import.meta.url).pathname;

await build({
  entryPoints: [here('page.jsx')],
  outfile: here('page.js'),
  bundle: true,
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  format: 'esm',
  jsx: 'automatic',
  // The ES modules of @grafana/ui lack exports that they import from each other; its CommonJS is whole.
  alias: Object.fromEntries(
    ['data', 'ui'].map((name) => [`@grafana/${name}`, here(`node_modules/@grafana/${name}/dist/cjs/index.cjs`)])
  ),
  loader: { '.ttf': 'empty' },
  logLevel: 'error',
  minify: true,
  platform: 'browser',
  target: 'es2022',
});
