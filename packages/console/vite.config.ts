import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The server that `npm run dev` shows. */
const server = process.env['HALYARD_URL'] ?? 'http://127.0.0.1:4000';

export default defineConfig({
  // Relative: the server may be anywhere below a proxy.
  base: './',
  plugins: [react()],
  build: {
    outDir: '../../dist/console',
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // What every screen needs is one file: a browser fetches six at once, and left to itself Vite makes a score of small ones.
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'base', test: /node_modules|src\/(parts|data|words)\// }] } },
    },
  },
  server: {
    proxy: {
      '/graphql': { target: server, ws: true, changeOrigin: true },
      '/session': { target: server, changeOrigin: true, rewrite: path => `/console${path}` },
    },
  },
});
