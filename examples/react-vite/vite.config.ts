import { defineConfig } from 'vite';

const target = process.env['HALYARD_URL'] ?? 'http://localhost:4000';

// The page asks its own origin, which passes the API on. A page that asks another origin needs CORS_ORIGINS on the server.
export default defineConfig({ server: { proxy: { '/graphql': { target } } } });
