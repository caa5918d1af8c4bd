export { createClient } from './client.js';
export { HalyardError } from './error.js';
export type * from './feature-types.js';
export type * from './types.js';
