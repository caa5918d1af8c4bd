/** Halyard as a provider for `@openfeature/server-sdk`. */

export type { ServerOptions } from './http-api.js';
export { HalyardProvider } from './provider.js';
