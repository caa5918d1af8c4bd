import { defineConfig } from 'vite';

const target = process.env['HALYARD_URL'] ?? 'http://localhost:4000';

// The page asks its own origin, which passes the API on: queries over HTTP, and subscriptions over a WebSocket.
export default defineConfig({ server: { proxy: { '/graphql': { target, ws: true } } } });
